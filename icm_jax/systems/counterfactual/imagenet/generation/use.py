"""A finished generator on ImageNet: counterfactuals of labels that are chosen or drawn."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.chunks import in_chunks
from icm_jax.system import PyTree
from icm_jax.systems.counterfactual.generation.use import (
    check_chosen,
    check_labels,
    check_mechanism,
)
from icm_jax.systems.counterfactual.imagenet import frozen as frozen_networks
from icm_jax.systems.counterfactual.imagenet.generation.config import SCHEMA
from icm_jax.systems.counterfactual.imagenet.generation.state import init_state
from icm_jax.systems.counterfactual.imagenet.mechanisms import (
    Frozen,
    Made,
    Networks,
    draw_noise,
    make,
    make_networks,
)
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.systems.counterfactual.pixels import to_pixels
from icm_jax.training import finished

_CHUNK = 4  # images a call: four BigGANs of 256 pixels need memory


class Generator(NamedTuple):
    """A finished generator.

    Attributes:
      networks: its networks.
      frozen: variables of `biggan` and `u2net`.
      params: of each mechanism.
      truncation: that it has learned with.
    """

    networks: Networks
    frozen: Frozen
    params: Each
    truncation: float

    @property
    def classes(self) -> int:
        """L."""
        return self.networks.classes

    @property
    def size(self) -> int:
        """S, pixels a side."""
        return self.networks.size

    def generate(
        self,
        noise: np.ndarray | jax.Array,
        shape: np.ndarray | jax.Array,
        foreground: np.ndarray | jax.Array,
        background: np.ndarray | jax.Array,
        truncation: float | None = None,
    ) -> dict[str, jax.Array]:
        """Makes counterfactuals of noise and labels that are given, in one call.

        Args:
          noise: u, float32 `[B, Z]`, the same for all mechanisms.
          shape: label of the shape, int `[B]`, 0 to L - 1; or shares of labels, float `[B, L]`.
          foreground: likewise.
          background: likewise.
          truncation: above 0, at most 1, by which BigGAN chooses its statistics; None: as learned.

        Returns:
          What `Made` has, by name.

        Raises:
          ValueError: a label is none of the L, or the truncation is not allowed.
        """
        labels = Each(*map(np.asarray, (shape, foreground, background)))
        for name, label in labels._asdict().items():
            if label.ndim == 1:
                check_labels(label, self.classes, name)
        truncation = self._truncation(truncation)
        noise = jnp.asarray(noise, jnp.float32)
        return self.run(noise, labels, truncation)._asdict()

    def draw(
        self,
        count: int,
        seed: int = 0,
        labels: Sequence[int | None] = (None,) * 3,
        truncation: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Draws counterfactuals, each of one noise for all mechanisms.

        Of one seed and choice of labels a smaller count draws the first of a larger one.

        Args:
          count: N, at least 1.
          seed: of noise and labels.
          labels: of shape, foreground and background; None draws one for each image.
          truncation: see `generate`; noise is drawn by it, too.

        Returns:
          `images` uint8 `[N, S, S, 3]`, and `shape`, `foreground`, `background`, the labels, int32
          `[N]`.

        Raises:
          ValueError: as `generate`, or `count` is below 1.
        """
        check_chosen(labels, self.classes)
        if count < 1:
            raise ValueError(f"count: {count} is not allowed; it must be at least 1")
        truncation, key = self._truncation(truncation), jax.random.key(seed)

        def call(index: np.ndarray) -> dict[str, jax.Array]:
            noise_key, label_key = jax.random.split(jax.random.fold_in(key, index[0]))
            noise = draw_noise(noise_key, _CHUNK, self.networks.latent, truncation)
            drawn = jax.random.randint(label_key, (3, _CHUNK), 0, self.classes)
            chosen = Each(
                *(
                    of if label is None else jnp.full_like(of, label)
                    for of, label in zip(drawn, labels, strict=True)
                )
            )
            images = to_pixels(self.run(noise, chosen, truncation).images)
            return {"images": images, **chosen._asdict()}

        return in_chunks(call, count, _CHUNK, "images")

    def interpolate(
        self,
        mechanism: str,
        start: int,
        end: int,
        frames: int = 8,
        seed: int = 0,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Goes from one label to another in one mechanism, the others staying at the first.

        Args:
          mechanism: 'shape', 'foreground' or 'background'.
          start: label of all three.
          end: label that the mechanism comes to.
          frames: N, at least 2.
          seed: of the noise.
          truncation: see `draw`.

        Returns:
          uint8 `[N, S, S, 3]`.

        Raises:
          ValueError: there is no such mechanism, a label is none of the L, or `frames` or
            `truncation` are not allowed.
        """
        truncation = self._truncation(truncation)
        check_mechanism(mechanism)
        if frames < 2:
            raise ValueError(f"frames: {frames} is not allowed; it must be at least 2")
        for name, label in (("start", start), ("end", end)):
            check_labels(np.int32(label), self.classes, name)
        noise = draw_noise(jax.random.key(seed), 1, self.networks.latent, truncation)
        shares = np.linspace(0, 1, frames, dtype=np.float32)[:, None]
        first, last = np.eye(self.classes, dtype=np.float32)[[start, end]]
        still = np.tile(first, (frames, 1))
        labels = Each(*[still] * 3)._replace(**{mechanism: (1 - shares) * first + shares * last})

        def call(index: np.ndarray) -> jax.Array:
            of = jax.tree.map(lambda label: jnp.asarray(label[index]), labels)
            made = self.run(jnp.repeat(noise, len(index), axis=0), of, truncation)
            return to_pixels(made.images)

        return in_chunks(call, frames, _CHUNK)

    def _truncation(self, truncation: float | None) -> float:
        if truncation is None:
            return self.truncation
        check_truncation(truncation, "truncation")
        return truncation

    def run(self, noise: jax.Array, labels: Each, truncation: float) -> Made:
        """`mechanisms.make` with what it is made of."""
        return _make(self.networks, self.frozen, self.params, noise, labels, truncation)


def check_truncation(truncation: float, field: str) -> None:
    """Raises ValueError if `field` is no share above 0."""
    if not 0 < truncation <= 1:
        raise ValueError(f"{field}: {truncation} is not allowed; it must be above 0, at most 1")


# Compiled once for each number of images and truncation.
_make = jax.jit(make, static_argnums=(0, 5))


def load(place: str | os.PathLike) -> Generator:
    """The generator of a finished run.

    Args:
      place: the run's folder; of a run of several seeds the folder of one, such as
        `<run>/seed_0`.

    Raises:
      ValueError: there is no config of a generator in it, or its frozen networks have changed.
      FileNotFoundError: a file of its frozen networks is not there any more.
      WorkdirError: the run is not finished, or of several seeds.
      CheckpointError: there is no undamaged checkpoint.
    """
    run = finished.read(place)
    run.check(SCHEMA)
    networks = make_networks(run.config)
    frozen = frozen_networks.load(run.config, networks)

    def init(key: jax.Array) -> PyTree:
        return init_state(run.config, frozen.arrays["biggan"]["params"], frozen.digests, key)

    state = run.saved().state(init)
    frozen_networks.check_same(state.frozen, frozen)
    return Generator(
        networks,
        jax.device_put(frozen.of_mechanisms),
        jax.device_put(state.params),
        run.config.model.truncation,
    )
