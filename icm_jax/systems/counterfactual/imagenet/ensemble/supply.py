"""Where an ensemble's counterfactuals come from: a generator, or a file that one has written."""

import functools
import os
from typing import Any

import jax

from icm_jax import collectives, paths
from icm_jax.chunks import equal_parts
from icm_jax.data.image_files import check_is_no_pointer
from icm_jax.systems.counterfactual.imagenet.generation import use
from icm_jax.systems.counterfactual.imagenet.mechanisms import Networks, draw_noise, make
from icm_jax.systems.counterfactual.invariance.supply import Supply, draw_stored, read_stored
from icm_jax.systems.counterfactual.networks.mechanisms import Each

_TOGETHER = 8  # images made at once: more of 256 pixels are too many for a GPU


def load(place: str | os.PathLike, field: str, truncation: float) -> Supply:
    """The supply that a config names; its labels are of each mechanism, an `Each` of int32 `[b]`.

    Args:
      place: folder of a finished generator on ImageNet, or the `.npz` that `--mode=generate` wrote
        of it.
      field: what gives it, for errors.
      truncation: of the generator's noise and statistics.

    Raises:
      ValueError: the file, or the run, is of something else.
      FileNotFoundError: there is nothing at `place`.
      WorkdirError, CheckpointError: the generator's run is not finished, or damaged.
    """
    path = paths.local(place, field)
    if not path.exists():
        raise FileNotFoundError(f"{field}: {str(path)!r} is not there")
    if path.is_dir():
        generator = use.load(path)
        arrays = {"params": generator.params, "frozen": generator.frozen}
        return of_networks(generator.networks, truncation)._replace(arrays=arrays)
    check_is_no_pointer(path, f"{field}: {str(path)!r}")
    images, labels = read_stored(path, field, Each._fields)
    arrays = {"images": images, "labels": Each(*labels)}
    classes = max(int(of.max()) for of in labels) + 1
    return Supply(arrays, draw_stored, classes, images.shape[1], whole=False)


def of_networks(networks: Networks, truncation: float) -> Supply:
    """Counterfactuals of a generator, none of which is kept; its `arrays` are still to be given.

    They are `params` of each mechanism and `frozen`, see `mechanisms.make`.
    """
    made = functools.partial(_generate, networks, truncation)
    return Supply({}, made, networks.classes, networks.size)


def _generate(
    networks: Networks,
    truncation: float,
    arrays: Any,
    key: jax.Array,
    count: int,
    axis_name: str | None,
) -> tuple[jax.Array, Each]:
    """Images of one noise for all mechanisms, whose labels are drawn apart."""
    noise_key, label_key = jax.random.split(key)
    noise = draw_noise(noise_key, count, networks.latent, truncation)
    labels = Each(*jax.random.randint(label_key, (3, count), 0, networks.classes))
    noise, labels = collectives.share((noise, labels), axis_name)

    def generate(of: tuple[jax.Array, Each]) -> jax.Array:
        return make(networks, arrays["frozen"], arrays["params"], *of, truncation).images

    parts = equal_parts(len(noise), _TOGETHER)
    if parts == 1:
        return generate((noise, labels)), labels
    split = jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), (noise, labels))
    images = jax.lax.map(generate, split)
    return images.reshape(-1, *images.shape[2:]), labels
