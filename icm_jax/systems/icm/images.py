"""Which images are canonical, which are transformed, and what is known of how.

Either mechanisms are designed: half of the images stay canonical, mechanisms transform the others,
and each transformed image has an original. Or groups of the data set stand for them: images with
one value of an attribute are canonical, those with other values are transformed as they are.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import mechanisms
from icm_jax.data import (
    Dataset,
    Groups,
    Pool,
    Splits,
    divide,
    draw,
    draw_members,
    halve,
    pad,
    restrict,
    to_float,
    values_of,
)

# (data, key, B) -> float32 images [B, H, W, C] in [0, 1], a batch of all devices
Draw = Callable[[Mapping[str, jax.Array], jax.Array, int], jax.Array]


class Source(NamedTuple):
    """The canonical and the transformed images of a config.

    Attributes:
      names: of the M mechanisms or groups.
      bank: the M mechanisms; None for groups, whose images are transformed already.
      pools: `seed -> (canonical, transformed)`, of images of the train split; `transformed` are
        `Groups` where there are groups.
      draw: draws transformed images, padded, from those pools.
      test: the images to evaluate with, padded; of groups the transformed ones.
      canonical: uint8 `[K, H, W, C]`, canonical images to evaluate with, padded; without groups
        they are those of `test`.
      index: int64 `[N]`, the mechanism or group of each image of `test`; that of image i < M is i.
      prepare: pads images `[..., H, W, C]`, where that is to be done.
      shape: `(H, W, C)` of images before any padding.
    """

    names: tuple[str, ...]
    bank: tuple[mechanisms.Mechanism, ...] | None
    pools: Callable[[int], tuple[Pool, Pool | Groups]]
    draw: Draw
    test: Dataset
    canonical: np.ndarray
    index: np.ndarray
    prepare: Callable[[jax.Array], jax.Array]
    shape: tuple[int, ...]


def build(config: ConfigDict, splits: Splits) -> Source:
    """The source that a validated config names, on the images of `splits`.

    Raises:
      ValueError: if an attribute, a value, a label or a mechanism does not suit the images, there
        are too few of them to evaluate with, or padding is smaller than they are. Pools raise it
        where there are fewer images than a batch.
    """
    test = restrict(splits, config.data.labels).test
    side = config.data.pad
    prepare = functools.partial(pad, size=side) if side else lambda images: images
    make = _grouped if config.data.groups.attribute else _designed
    source = make(config, splits.train, test, prepare)
    _check_evaluated(config, source)
    padded = np.asarray(prepare(source.test.images))
    return source._replace(
        test=source.test._replace(images=padded),
        canonical=padded if source.bank else np.asarray(prepare(source.canonical)),
    )


def _designed(
    config: ConfigDict, train: Dataset, test: Dataset, prepare: Callable[[jax.Array], jax.Array]
) -> Source:
    names = tuple(mechanisms.label(spec) for spec in config.mechanisms)
    bank = tuple(mechanisms.build(spec) for spec in config.mechanisms)
    example = jax.eval_shape(prepare, jax.ShapeDtypeStruct(test.images.shape[1:], jnp.float32))
    mechanisms.check(config.mechanisms, example.shape)
    choose = _choose(config, len(bank))

    def draw_transformed(data, key, count):
        image_key, index_key, mechanism_key = jax.random.split(key, 3)
        images = draw(image_key, data["images"], data["transformed"], count)
        return mechanisms.apply(bank, mechanism_key, prepare(images), choose(index_key, count))

    def pools(seed):
        return _checked(config, *halve(train, seed, config.data.labels))

    index = np.arange(len(test.labels)) % len(bank)
    shape = test.images.shape[1:]
    return Source(names, bank, pools, draw_transformed, test, test.images, index, prepare, shape)


def _grouped(
    config: ConfigDict, train: Dataset, test: Dataset, prepare: Callable[[jax.Array], jax.Array]
) -> Source:
    groups = config.data.groups
    values = [str(value) for value in groups.transformed]
    choose = _choose(config, len(values))

    def draw_transformed(data, key, count):
        image_key, index_key = jax.random.split(key)
        group = choose(index_key, count)
        index = draw_members(image_key, data["transformed"], group)
        return prepare(to_float(data["images"][index]))

    def pools(seed):
        cut = divide(train, seed, groups.attribute, groups.canonical, values, config.data.labels)
        return _checked(config, *cut)

    all_values = [groups.canonical, *values]
    values_of(train, groups.attribute, all_values, "train")
    found = values_of(test, groups.attribute, all_values, "test")
    canonical = test.images[found == groups.canonical]
    members = [np.flatnonzero(found == value) for value in values]
    group = np.repeat(np.arange(len(values)), [len(images) for images in members])
    # The groups take turns, so that the first images are one of each.
    turn = np.concatenate([np.arange(len(images)) for images in members])
    order = np.lexsort((group, turn))
    test, index = test.take(np.concatenate(members)[order]), group[order]
    names = tuple(f"{groups.attribute}={value}" for value in values)
    shape = test.images.shape[1:]
    return Source(names, None, pools, draw_transformed, test, canonical, index, prepare, shape)


def _choose(config: ConfigDict, among: int) -> Callable[[jax.Array, int], jax.Array]:
    """`(key, B) -> int32 [B]`, which of `among` mechanisms or groups, as the mixture says."""
    logits = jnp.log(jnp.asarray(config.mixture, jnp.float32)) if config.mixture else None

    def choose(key, count):
        if logits is None:
            return jax.random.randint(key, (count,), 0, among)
        return jax.random.categorical(key, logits, shape=(count,))

    return choose


def _checked(
    config: ConfigDict, canonical: Pool, transformed: Pool | Groups
) -> tuple[Pool, Pool | Groups]:
    """Both pools, of the canonical images as many as are to be known; refuses less than a batch."""
    if config.data.canonical:
        # A pool is in random order: its first images are any.
        known = min(config.data.canonical, int(canonical.count))
        canonical = canonical._replace(count=np.int32(known))
    for name, pool in (("canonical", canonical), ("transformed", transformed)):
        count = int(np.sum(pool.count))
        if config.batch_size > count:
            raise ValueError(
                f"batch_size: {config.batch_size} is more than the {count} {name} images"
            )
    return canonical, transformed


def _check_evaluated(config: ConfigDict, source: Source) -> None:
    """Refuses too few test images to have one of each mechanism or group."""
    there = len(source.index)
    fields = config.evaluation.images, config.evaluation.last or there
    evaluated = min(*fields, there)
    if evaluated < len(source.names):
        name = "images" if fields[0] == evaluated else "last"
        raise ValueError(
            f"evaluation.{name}: {evaluated} test images are fewer than the "
            f"{len(source.names)} mechanisms"
        )
