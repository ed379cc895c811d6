"""Which images are canonical, which are transformed, and what is known of how.

Either mechanisms are designed: half of the images stay canonical, mechanisms transform the others,
and each transformed image has an original. Or groups of the data set stand for them: images with
one value of an attribute are canonical, those with other values are transformed as they are.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
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
from icm_jax.system import PyTree

# (data, key, B) -> float32 images [B, H, W, C] in [0, 1], a batch of all devices
Draw = Callable[[Mapping[str, PyTree], jax.Array, int], jax.Array]
# (key, B) -> int32 [B], a mechanism or group each
Choose = Callable[[jax.Array, int], jax.Array]
# images [..., H, W, C] -> [..., H', W', C]
Prepare = Callable[[jax.Array], jax.Array]
# seed -> the canonical and the transformed pool, of images of the train split
Pools = Callable[[int], tuple[Pool, Pool | Groups]]


class Images(NamedTuple):
    """The canonical and the transformed images of a config.

    Attributes:
      names: of the M mechanisms or groups.
      bank: the M mechanisms; None for groups, whose images are transformed already.
      pools: of a seed; `transformed` are `Groups` where there are groups.
      draw: draws transformed images, padded, from those pools.
      test: the images to evaluate with, uint8 `[N, H, W, C]`, padded; of groups the transformed
        ones.
      canonical: uint8 `[K, H, W, C]`, canonical images to evaluate with, padded; without groups
        they are those of `test`.
      index: int64 `[N]` in [0, M), the mechanism or group of each image of `test`; that of image
        i < M is i.
      prepare: pads images, where that is to be done.
      shape: `(H, W, C)` of images before any padding.
    """

    names: tuple[str, ...]
    bank: tuple[mechanisms.Mechanism, ...] | None
    pools: Pools
    draw: Draw
    test: Dataset
    canonical: np.ndarray
    index: np.ndarray
    prepare: Prepare
    shape: tuple[int, ...]


def build_images(config: ConfigDict, splits: Splits) -> Images:
    """The images that a validated config names, of those of `splits`.

    Raises:
      ValueError: if an attribute, a value, a label or a mechanism does not suit the images, there
        are too few of them to evaluate with, or padding is smaller than they are. Pools raise it
        where there are fewer images than a batch.
    """
    test = restrict(splits, config.data.labels).test
    prepare = functools.partial(pad, size=config.data.pad)
    build = _build_grouped if config.data.groups.attribute else _build_designed
    images = build(config, splits.train, test, prepare)
    _check_evaluated(config, images)
    padded = np.asarray(prepare(images.test.images))
    return images._replace(
        test=images.test._replace(images=padded),
        canonical=padded if images.bank else np.asarray(prepare(images.canonical)),
    )


def _build_designed(config: ConfigDict, train: Dataset, test: Dataset, prepare: Prepare) -> Images:
    """Images that mechanisms transform; test images by all of them in turns."""
    bank = tuple(mechanisms.build(spec) for spec in config.mechanisms)
    shape = test.images.shape[1:]
    example = jax.eval_shape(prepare, jax.ShapeDtypeStruct(shape, jnp.float32))
    mechanisms.check(config.mechanisms, example.shape)
    choose = _chooser(config, len(bank))
    return Images(
        names=tuple(mechanisms.label(spec) for spec in config.mechanisms),
        bank=bank,
        pools=functools.partial(_halve_pools, config, train),
        draw=functools.partial(_draw_designed, bank, choose, prepare),
        test=test,
        canonical=test.images,
        index=np.arange(len(test.labels)) % len(bank),
        prepare=prepare,
        shape=shape,
    )


def _build_grouped(config: ConfigDict, train: Dataset, test: Dataset, prepare: Prepare) -> Images:
    """Images that are transformed already; test images of all groups in turns."""
    groups = config.data.groups
    values = [str(value) for value in groups.transformed]
    all_values = [groups.canonical, *values]
    values_of(train, groups.attribute, all_values, "train")
    of_test = values_of(test, groups.attribute, all_values, "test")
    order, index = _take_turns([np.flatnonzero(of_test == value) for value in values])
    choose = _chooser(config, len(values))
    return Images(
        names=tuple(f"{groups.attribute}={value}" for value in values),
        bank=None,
        pools=functools.partial(_divide_pools, config, train, values),
        draw=functools.partial(_draw_grouped, choose, prepare),
        test=test.take(order),
        canonical=test.images[of_test == groups.canonical],
        index=index,
        prepare=prepare,
        shape=test.images.shape[1:],
    )


def _take_turns(members: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The members of groups, int64 `[N]`, so that the first are one of each, and their groups."""
    group = np.repeat(np.arange(len(members)), [len(images) for images in members])
    turn = np.concatenate([np.arange(len(images)) for images in members])
    order = np.lexsort((group, turn))
    return np.concatenate(members)[order], group[order]


def _draw_designed(
    bank: tuple[mechanisms.Mechanism, ...],
    choose: Choose,
    prepare: Prepare,
    data: Mapping[str, PyTree],
    key: jax.Array,
    count: int,
) -> jax.Array:
    image_key, index_key, mechanism_key = jax.random.split(key, 3)
    images = draw(image_key, data["images"], data["transformed"], count)
    return mechanisms.apply(bank, mechanism_key, prepare(images), choose(index_key, count))


def _draw_grouped(
    choose: Choose, prepare: Prepare, data: Mapping[str, PyTree], key: jax.Array, count: int
) -> jax.Array:
    image_key, index_key = jax.random.split(key)
    group = choose(index_key, count)
    index = draw_members(image_key, data["transformed"], group)
    return prepare(to_float(data["images"][index]))


def _chooser(config: ConfigDict, among: int) -> Choose:
    """Chooses among so many mechanisms or groups, as often as the mixture says."""
    if not config.mixture:
        return lambda key, count: jax.random.randint(key, (count,), 0, among)
    logits = jnp.log(jnp.asarray(config.mixture, jnp.float32))
    return lambda key, count: jax.random.categorical(key, logits, shape=(count,))


def _halve_pools(config: ConfigDict, train: Dataset, seed: int) -> tuple[Pool, Pool]:
    return _checked(config, *halve(train, seed, config.data.labels))


def _divide_pools(
    config: ConfigDict, train: Dataset, values: Sequence[str], seed: int
) -> tuple[Pool, Groups]:
    attribute, canonical = config.data.groups.attribute, config.data.groups.canonical
    cut = divide(train, seed, attribute, canonical, values, config.data.labels)
    return _checked(config, *cut)


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


def _check_evaluated(config: ConfigDict, images: Images) -> None:
    """Refuses too few test images to have one of each mechanism or group."""
    there = len(images.index)
    fields = config.evaluation.images, config.evaluation.last or there
    evaluated = min(*fields, there)
    if evaluated < len(images.names):
        fewer = f"fewer than the {len(images.names)} mechanisms or groups"
        if there == evaluated:
            raise ValueError(f"data.name: {there} test images are {fewer}; choose more data")
        name = "images" if fields[0] == evaluated else "last"
        raise ValueError(f"evaluation.{name}: {evaluated} test images are {fewer}")
