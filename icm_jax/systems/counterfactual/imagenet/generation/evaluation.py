"""What a generator on ImageNet is measured by: its masks, and how near it is to the frozen one."""

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
from icm_jax.systems.counterfactual.imagenet import frozen as frozen_networks
from icm_jax.systems.counterfactual.imagenet import losses
from icm_jax.systems.counterfactual.imagenet.generation.state import State
from icm_jax.systems.counterfactual.imagenet.generation.use import Generator
from icm_jax.systems.counterfactual.imagenet.mechanisms import (
    Networks,
    apply_biggan,
    apply_u2net,
    draw_noise,
    make,
)
from icm_jax.systems.counterfactual.losses import mask_entropy
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.systems.counterfactual.pixels import to_unit

PARTS = ("premask", "mask", "foreground", "background", "image", "frozen BigGAN")
_CHUNK = 4
_SHOWN, _CROSSED, _FRAMES = 12, 5, 8  # classes, those of a grid, and pictures on the way


class Evaluator(NamedTuple):
    """What an evaluation needs.

    Attributes:
      config: of the run.
      networks: see `Networks`.
      frozen: see `frozen.Frozen`.
    """

    config: ConfigDict
    networks: Networks
    frozen: frozen_networks.Frozen

    def __call__(self, state: State, auxiliary: Mapping[str, PyTree], complete: bool) -> Evaluation:
        """Measures images of random labels; pictures are made only if `complete`.

        Raises:
          ValueError: the frozen networks are not those that the run has learned with.
        """
        del auxiliary
        frozen_networks.check_same(state.frozen, self.frozen)
        truncation = self.config.model.truncation
        arrays = jax.device_put(self.frozen.of_mechanisms)
        generator = Generator(self.networks, arrays, state.params, truncation)
        found = _measure(generator, self.config.evaluation.images)
        means = {name: float(values.mean()) for name, values in found.items()}
        least, most = self.config.losses.least, self.config.losses.most
        sizes = found["mask_mean"]
        usable = float(((sizes >= least) & (sizes <= most)).mean())
        scalars = {**means, "usable_masks": usable}
        summary = {
            **scalars,
            "images": len(sizes),
            "size": self.networks.size,
            "classes": self.networks.classes,
            "frozen": dict(self.frozen.origins),
        }
        pictures = _show(generator, self.config) if complete else {}
        return Evaluation(scalars, summary, pictures)


def _measure(generator: Generator, count: int) -> dict[str, np.ndarray]:
    """Of `count` images, always of the same noise and labels, float32 `[count]` by name."""
    networks = generator.networks
    noise_key, label_key = jax.random.split(streams.of_seed(0, SeedStream.EVALUATION))
    noise = draw_noise(noise_key, count, networks.latent, generator.truncation)
    labels = jax.random.randint(label_key, (count,), 0, networks.classes)

    def call(index: np.ndarray) -> dict[str, jax.Array]:
        return _measure_chunk(
            networks, generator.truncation, *generator[1:3], *(of[index] for of in (noise, labels))
        )

    return in_chunks(call, count, _CHUNK)


def _measured(
    networks: Networks,
    truncation: float,
    frozen: Mapping[str, Any],
    params: Each,
    noise: jax.Array,
    labels: jax.Array,
) -> dict[str, jax.Array]:
    made = make(networks, frozen, params, noise, Each(*[labels] * 3), truncation)
    real = apply_biggan(networks, frozen["biggan"], noise, labels, truncation)
    return {
        "mask_mean": made.mask.mean((1, 2, 3)),
        "mask_entropy": mask_entropy(made.mask),
        "reconstruction": losses.reconstruction(made.images, real),
        "background_seen": apply_u2net(networks, frozen, made.background).mean((1, 2, 3)),
    }


_measure_chunk = jax.jit(_measured, static_argnums=(0, 1))


def _show(generator: Generator, config: ConfigDict) -> dict[str, np.ndarray]:
    """Pictures: the parts of some classes, shapes in all textures, ways to another class."""
    classes = np.array(config.evaluation.classes[:_SHOWN], np.int32)
    key = streams.of_seed(0, SeedStream.EVALUATION)
    noise = draw_noise(key, 1, generator.networks.latent, generator.truncation)

    def draw(labels: Each) -> dict[str, np.ndarray]:
        def call(index: np.ndarray) -> dict[str, jax.Array]:
            of = (label[index] for label in labels)
            return generator.generate(jnp.repeat(noise, len(index), axis=0), *of)

        return in_chunks(call, len(labels.shape), _CHUNK)

    made = draw(Each(*[classes] * 3))
    real = np.concatenate(
        [
            _real(
                generator.networks,
                generator.truncation,
                generator.frozen,
                noise,
                classes[i : i + 1],
            )
            for i in range(len(classes))
        ]
    )
    mask = made["mask"].repeat(3, axis=3)
    others = (to_unit(part) for part in (made["foreground"], made["background"], made["images"]))
    parts = np.stack([to_unit(made["premask"]), mask, *others, to_unit(real)])
    few = classes[:_CROSSED]
    shapes, textures = np.repeat(few, len(few)), np.tile(few, len(few))
    crossed = draw(Each(shapes, textures, np.tile(few[::-1], len(few))))["images"]
    start, end = classes[0], classes[-1]
    ways = [generator.interpolate(name, start, end, _FRAMES) / 255 for name in Each._fields]
    grid = to_unit(crossed).reshape(len(few), len(few), *crossed.shape[1:])
    return {"parts": parts, "grid": grid, "ways": np.stack(ways)}


_real = jax.jit(
    lambda networks, truncation, frozen, noise, labels: apply_biggan(
        networks, frozen["biggan"], noise, labels, truncation
    ),
    static_argnums=(0, 1),
)


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary by which runs are compared."""
    return {"usable masks": summary["usable_masks"], "mean mask": summary["mask_mean"]}


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The row of a run in a study."""
    del records
    return {**headline(summary), "reconstruction": summary["reconstruction"]}
