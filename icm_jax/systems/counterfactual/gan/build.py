"""A conditional GAN as a system."""

import functools
from collections.abc import Sequence

from ml_collections import ConfigDict

from icm_jax.data import Splits
from icm_jax.system import Phase, System
from icm_jax.systems.counterfactual import biased
from icm_jax.systems.counterfactual.gan import evaluation
from icm_jax.systems.counterfactual.gan.steps import init_state, make_gan, step


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config (see `icm_jax.systems.counterfactual.gan.config`), one a seed.

    Args:
      config: a validated config.
      splits: of which the data set is made.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: the data set cannot be made of these images.
      FileNotFoundError: textures are not there.
    """
    made = [biased.make(config.data, splits, seed) for seed in seeds]
    gan, outside = (
        make_gan(config, made[0].classes, made[0].size, axis) for axis in (axis_name, None)
    )
    shared_data, own_data = biased.given(made)
    shared = System(
        name=config.system,
        init=functools.partial(init_state, outside),
        phases=(Phase("training", config.steps, functools.partial(step, gan, made[0])),),
        data={},
        shared=shared_data,
        evaluate=functools.partial(evaluation.evaluate, outside),
        figures=evaluation.draw_figures,
        headline=evaluation.headline,
    )
    return tuple(
        shared._replace(data=own, evaluate=functools.partial(shared.evaluate, of))
        for own, of in zip(own_data, made, strict=True)
    )
