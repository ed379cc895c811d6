"""What a generator is judged by, without a label: whether its masks are whole."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import streams
from icm_jax.chunks import in_chunks
from icm_jax.streams import SeedStream
from icm_jax.system import Evaluation, PyTree
from icm_jax.systems.counterfactual.biased import BiasedData
from icm_jax.systems.counterfactual.generate import Counterfactuals, Generate
from icm_jax.systems.counterfactual.generation.state import State
from icm_jax.systems.counterfactual.masks import MaskCheck, check_masks
from icm_jax.systems.counterfactual.networks.mechanisms import Each

_SHOWN = 10  # classes in pictures, and images of a walk


class Evaluator(NamedTuple):
    """What an evaluation needs.

    Attributes:
      config: of the run.
      biased: the data set.
      generate: see `generate.make_generate`.
    """

    config: ConfigDict
    biased: BiasedData
    generate: Generate

    def __call__(self, state: State, auxiliary: Mapping[str, PyTree], complete: bool) -> Evaluation:
        """Checks masks of every class; pictures are made only if `complete`."""
        del auxiliary
        variables, classes = state.generator.variables, self.biased.classes
        found = check_classes(self.generate, variables, classes, self.config)
        whole = sum(not check.fault for check in found)
        scalars = {
            "whole_masks": whole / classes,
            "mask_area": [check.area for check in found],
            "mask_frame": [check.frame for check in found],
        }
        summary = {
            "set": self.config.data.set,
            "classes": classes,
            "size": self.biased.size,
            "whole_masks": whole,
            "masks": [check._asdict() for check in found],
        }
        arrays = self._show(variables) if complete else {}
        return Evaluation(scalars, summary, arrays)

    def _show(self, variables: PyTree) -> dict[str, np.ndarray]:
        """Pictures: parts, images of each shape in each texture, walks of one mechanism."""
        classes = min(self.biased.classes, _SHOWN)
        latent, every = self.config.generator.latent, np.arange(classes, dtype=np.int32)
        key = streams.of_seed(0, SeedStream.EVALUATION)
        start, end = np.asarray(jax.random.normal(key, (2, latent)))

        def make(noise: Each, labels: Each) -> Counterfactuals:
            return jax.tree.map(np.asarray, self.generate(variables, noise, labels, key))

        alike = np.tile(start, (classes, 1))
        own = make(Each(*[alike] * 3), Each(*[every] * 3))
        parts = [own.mask.repeat(3, axis=3), *map(_shown, own[1:])]
        rows = [
            _shown(
                make(
                    Each(*[alike] * 3), Each(np.full_like(every, shape), every, every[::-1])
                ).images
            )
            for shape in every
        ]
        steps = np.linspace(0, 1, _SHOWN, dtype=np.float32)[:, None]
        there, moving = np.tile(start, (_SHOWN, 1)), (1 - steps) * start + steps * end
        zero = np.zeros(_SHOWN, np.int32)
        walks = [
            _shown(make(Each(*[there] * 3)._replace(**{name: moving}), Each(*[zero] * 3)).images)
            for name in Each._fields
        ]
        return {"parts": np.stack(parts), "grid": np.stack(rows), "walks": np.stack(walks)}


def check_classes(
    generate: Generate, variables: PyTree, classes: int, config: ConfigDict
) -> list[MaskCheck]:
    """The check of `config.evaluation.images` masks of each class; always of the same noise."""
    count, latent = config.evaluation.images, config.generator.latent
    key = streams.of_seed(0, SeedStream.EVALUATION)
    noise = np.asarray(jax.random.normal(key, (count * classes, latent)))
    labels = np.arange(count * classes, dtype=np.int32) // count

    def call(index: np.ndarray) -> jax.Array:
        same = Each(*[jnp.asarray(noise[index])] * 3), Each(*[jnp.asarray(labels[index])] * 3)
        return generate(variables, *same, key).mask

    masks = in_chunks(call, len(labels))
    return [check_masks(masks[labels == label]) for label in range(classes)]


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary by which runs are compared."""
    return {"whole masks": summary["whole_masks"]}


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The row of a run in a study."""
    del records
    areas = [check["area"] for check in summary["masks"]]
    return {**headline(summary), "mean mask": float(np.mean(areas))}


def _shown(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1] as they are drawn, in [0, 1]."""
    return np.clip((images + 1) / 2, 0, 1)
