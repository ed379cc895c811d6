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
from icm_jax.systems.counterfactual.generate import Generate
from icm_jax.systems.counterfactual.generation import history
from icm_jax.systems.counterfactual.generation.state import State
from icm_jax.systems.counterfactual.masks import MaskCheck, check_masks
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.systems.counterfactual.pixels import to_unit

_FRAMES = 10  # of a walk


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
        variables, classes = state.average, self.biased.classes
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
            **({"names": list(self.biased.names)} if self.biased.names else {}),
        }
        arrays = self._show(state) if complete else {}
        return Evaluation(scalars, summary, arrays)

    def show_parts(self, variables: PyTree) -> np.ndarray:
        """See `history.show_parts`."""
        return history.show_parts(self.generate, self.biased.classes, self.config, variables)

    def _show(self, state: State) -> dict[str, np.ndarray]:
        """Pictures: parts, now and before, shapes in all textures, walks of one mechanism."""
        variables = state.average
        classes = min(self.biased.classes, history.SHOWN)
        latent, every = self.config.generator.latent, np.arange(classes, dtype=np.int32)
        key = streams.of_seed(0, SeedStream.EVALUATION)
        start, end = np.asarray(jax.random.normal(key, (2, latent)))

        def make(noise: Each, labels: Each) -> np.ndarray:
            return to_unit(np.asarray(self.generate(variables, noise, labels, key).images))

        alike = Each(*[np.tile(start, (classes, 1))] * 3)
        rows = [
            make(alike, Each(np.full_like(every, shape), every, every[::-1])) for shape in every
        ]
        steps = np.linspace(0, 1, _FRAMES, dtype=np.float32)[:, None]
        there, moving = np.tile(start, (_FRAMES, 1)), (1 - steps) * start + steps * end
        zero = np.zeros(_FRAMES, np.int32)
        walks = [
            make(Each(*[there] * 3)._replace(**{name: moving}), Each(*[zero] * 3))
            for name in Each._fields
        ]
        parts = self.show_parts(variables)
        pictures = {"parts": parts, "grid": np.stack(rows), "walks": np.stack(walks)}
        return pictures | history.shown(self.config, state.history, parts)


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
