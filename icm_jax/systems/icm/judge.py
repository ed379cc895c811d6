"""The judge of an ICM run: a classifier that says what restored images show, or whether they look
canonical."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import classification, collectives, mechanisms, paths
from icm_jax.chunks import in_chunks
from icm_jax.config import digest
from icm_jax.data import Splits, draw, halve, to_float
from icm_jax.networks.compute import Compute
from icm_jax.system import PyTree, System
from icm_jax.systems.icm.images import Images

_CANONICAL = 1  # the class of canonical images; transformed ones are of class 0


class Judge(NamedTuple):
    """A classifier and what it is asked.

    Attributes:
      name: what the fraction of images that pass is called: 'accuracy' where they must show what
        their label says, 'called_canonical' where they must look canonical.
      kinds: names of the canonical, the transformed and the restored images in results.
      train: `seed -> System`, the classifier.
      passes: `(state, images float32 [B, H, W, C] in [0, 1], labels int32 [B]) -> bool [B]`.
      classes: how many it tells apart.
    """

    name: str
    kinds: tuple[str, str, str]
    train: Callable[[int], System]
    passes: Callable[[PyTree, jax.Array, jax.Array], jax.Array]
    classes: int


def make_judge(
    config: ConfigDict, images: Images, splits: Splits, axis_name: str | None = None
) -> Judge | None:
    """The judge that `config.classifier.learns` names; None where it could not say anything.

    Args:
      config: see `icm_jax.systems.icm.config`.
      images: of canonical and transformed images.
      splits: all labels' images.
      axis_name: device axis, or None.

    Raises:
      ValueError: the network does not suit the number of classes.
    """
    if config.classifier.learns == "canonical":
        return _of_canonical(config, images, splits, axis_name)
    return _of_labels(config, splits, axis_name) if _can_tell_labels(images, splits) else None


def make_classifier(
    config: ConfigDict, classes: int, axis_name: str | None = None
) -> classification.Classifier:
    """The network of the judge of so many classes; arguments and errors are as in `make_judge`."""
    compute = Compute(config.precision, config.convolution)
    return classification.make_classifier(
        config.classifier, classes, compute, config.data.pad, axis_name
    )


def _of_labels(config: ConfigDict, splits: Splits, axis_name: str | None) -> Judge:
    """Learns the labels of the canonical half, of all classes, whichever compete."""
    settings = config.classifier
    task = classification.labelled(settings, *splits, config.data.pad, axis_name)
    classifier = make_classifier(config, task.classes, axis_name)
    system = classification.build(settings, task, classifier, axis_name)

    def train(seed):
        return system._replace(data={"pool": halve(splits.train, seed)[0]})

    def passes(state, images, labels):
        return classifier.predict(state, images) == labels

    kinds = ("original", "transformed", "restored")
    return Judge("accuracy", kinds, train, passes, task.classes)


def _of_canonical(
    config: ConfigDict, images: Images, splits: Splits, axis_name: str | None
) -> Judge:
    task = make_canonical_task(config, images, splits, axis_name)
    classifier = make_classifier(config, task.classes, axis_name)
    system = classification.build(config.classifier, task, classifier, axis_name)

    def train(seed):
        canonical, transformed = images.pools(seed)
        return system._replace(data={"canonical": canonical, "transformed": transformed})

    def passes(state, images, labels):
        del labels
        return classifier.predict(state, images) == _CANONICAL

    kinds = ("canonical", "transformed", "restored")
    return Judge("called_canonical", kinds, train, passes, task.classes)


def make_canonical_task(
    config: ConfigDict, images: Images, splits: Splits, axis_name: str | None = None
) -> classification.Task:
    """To tell canonical images (class 1) from transformed ones (0), as the discriminator does.

    A batch is one half of each, from the images that the experts learn from; `data` lack the
    pools, which the seed decides. Arguments are as in `make_judge`.
    """
    draw_both = functools.partial(_draw_both, images, config.classifier.batch_size, axis_name)
    transformed = _transformed(images)
    inputs = np.concatenate([images.canonical / np.float32(255), transformed])
    labels = np.repeat(np.int32([_CANONICAL, 0]), [len(images.canonical), len(transformed)])
    # The first images are some of both.
    order = np.random.RandomState(0).permutation(len(labels))
    data = {"images": splits.train.images}
    return classification.Task(2, data, draw_both, inputs[order], labels[order])


def _draw_both(
    images: Images,
    count: int,
    axis_name: str | None,
    data: Mapping[str, PyTree],
    key: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """This device's share of `count` images and whether they are canonical, int32, in turns."""
    half = count // 2
    canonical_key, transformed_key = jax.random.split(key)
    canonical = draw(canonical_key, data["images"], data["canonical"], half)
    transformed = images.draw(data, transformed_key, count - half)
    inputs = jnp.concatenate([images.prepare(canonical), transformed])
    labels = jnp.where(jnp.arange(count) < half, _CANONICAL, 0)
    # They take turns, so that every device has its part of both.
    turns = np.argsort(np.arange(count) % max(half, 1), kind="stable")
    batch = inputs[turns], labels[turns]
    return collectives.share(batch, axis_name, "classifier.batch_size")


def _transformed(images: Images) -> np.ndarray:
    """The test images as experts see them: float32 `[N, H, W, C]`, always the same."""
    tested = images.test.images
    if images.bank is None:
        return tested / np.float32(255)

    @jax.jit
    def apply(batch, index, key):
        return mechanisms.apply(images.bank, key, to_float(batch), index)

    def call(index):
        key = jax.random.fold_in(jax.random.key(0), index[0])
        return apply(tested[index], images.index[index], key)

    return in_chunks(call, len(tested))


def _can_tell_labels(images: Images, splits: Splits) -> bool:
    """Whether a classifier of labels can say what restored images show.

    Not where images have no original, nor of classes that it does not learn (people who are in
    the test split alone), nor where there is one class.
    """
    learned, asked = np.unique(splits.train.labels), np.unique(images.test.labels)
    return images.bank is not None and len(learned) > 1 and bool(np.isin(asked, learned).all())


def _modules(spec: mechanisms.Spec) -> Iterator[str]:
    """Where the code of a mechanism is, and of those that it is made of."""
    made = mechanisms.build(spec)
    yield made.func.__module__
    for part in made.keywords.get("of", ()):
        yield from _modules(part)


def digests(config: ConfigDict) -> dict[str, str]:
    """The digest of all that the judge of a config depends on, by its name among its parts.

    There is none of a judge that learns from mechanisms whose code is not this package's.
    """
    fields = ("source", "name", "dir", "size", "pad", "invert", "thicken", "box")
    data = {field: config.data[field] for field in fields}
    data["listing"] = paths.digest_listing(config.data.dir, "data.dir")
    if config.classifier.learns == "canonical":
        data |= {field: config.data[field] for field in ("labels", "canonical", "groups")}
        data |= {field: config[field] for field in ("mechanisms", "mixture")}
        modules = [module for spec in config.mechanisms for module in _modules(spec)]
        if not all(module.startswith("icm_jax.") for module in modules):
            return {}
    fields = ("classifier", "precision", "convolution", "seed", "replicas")
    common = {name: config[name] for name in fields}
    return {"classifier": digest(ConfigDict(common | {"data": data}))}
