"""A generator on ImageNet as a system: frozen networks, phases, evaluation."""

import functools
from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from icm_jax.system import Phase, System
from icm_jax.systems.counterfactual.imagenet import frozen as frozen_networks
from icm_jax.systems.counterfactual.imagenet.generation import evaluation, figures
from icm_jax.systems.counterfactual.imagenet.generation.evaluation import Evaluator
from icm_jax.systems.counterfactual.imagenet.generation.state import init_state
from icm_jax.systems.counterfactual.imagenet.generation.steps import Training, step
from icm_jax.systems.counterfactual.imagenet.mechanisms import make_networks


def load(config: ConfigDict) -> dict[str, Any]:
    """No data: a generator learns from a frozen one."""
    del config
    return {}


def build_seeds(
    config: ConfigDict, data: Any, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config, one a seed, which differ in noise and labels alone.

    Args:
      config: a validated config, see
        `icm_jax.systems.counterfactual.imagenet.generation.config`.
      data: unused.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: a file of weights is damaged, or of another network.
      FileNotFoundError: a file of weights is not there.
    """
    del data
    networks = make_networks(config)
    frozen = frozen_networks.load(config, networks)
    training = Training(config, networks, axis_name)
    system = System(
        name=config.system,
        init=functools.partial(
            init_state, config, frozen.arrays["biggan"]["params"], frozen.digests
        ),
        phases=(Phase("training", config.steps, functools.partial(step, training)),),
        data={},
        shared=frozen.arrays,
        evaluate=Evaluator(config, networks, frozen),
        figures=functools.partial(figures.draw, config),
        headline=evaluation.headline,
    )
    return (system,) * len(seeds)
