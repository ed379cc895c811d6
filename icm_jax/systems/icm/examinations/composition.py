"""Composition: experts undo two mechanisms in a row, applied until an output looks canonical.

Experts have seen images of one mechanism alone. What they make goes through all of them again,
until the discriminator takes it for canonical. To go on with the winner's output alone does not
do: of a digit that was shifted and inverted every single expert's output scores low, that of the
right one often lower than others, since the discriminator knows neither shifted nor inverted
digits. So the best few outputs are kept (beam search), and the last application decides.
"""

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import config as configs
from icm_jax import data, mechanisms, streams
from icm_jax.chunks import in_chunks
from icm_jax.schema import Field, Schema, at_least, check_settings, one_of
from icm_jax.streams import SeedStream
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.evaluation import score_all
from icm_jax.systems.icm.examinations import figures as drawing
from icm_jax.systems.icm.restoration import psnr
from icm_jax.training.workdir import plain

# images [B, H, W, C] -> outputs [E, B, H, W, C] and logits [E, B] of all experts
Experts = Callable[[jax.Array], tuple[jax.Array, jax.Array]]

SETTINGS = Schema(
    {
        "kind": Field("composition", one_of(("composition",)), "the examination"),
        "images": Field(
            100,
            at_least(0),
            "test images that go through every pair of mechanisms, the same for all pairs, evenly "
            "of all classes; 0: all",
        ),
        "limit": Field(4, at_least(1), "applications of the experts at most"),
        "width": Field(
            1,
            at_least(1),
            "outputs for an image that go through the experts again: 1, the winner's, is greedy; "
            "as many as there are experts search all pairs of them, at as many times the cost",
        ),
    }
)
# A pair succeeds when it is restored as often as the worse one of its mechanisms, less this.
_MARGIN = 0.05


class Followed(NamedTuple):
    """N images along K applications of the experts; entry k is the best that k of them made.

    Attributes:
      scores: float32 `[N, K + 1]`, the discriminator's logits.
      correct: bool `[N, K + 1]`, whether the judge takes the image for what it is.
      psnr: float64 `[N, K + 1]`, in decibels, against the original.
    """

    scores: np.ndarray
    correct: np.ndarray
    psnr: np.ndarray


def examine(workdir: str | os.PathLike, settings: ConfigDict) -> dict[str, Any]:
    """Transforms test images of a finished run by two mechanisms and lets its experts undo them.

    Args:
      workdir: of the run, one seed; see `icm_jax.restore.load`.
      settings: see `SETTINGS`.

    Returns:
      JSON values: `seed`, `mechanisms` (M names), `images`, `limit` (K), and arrays
      `[M, M, K + 1]`, entry k after k applications whatever the score: `accuracy` of the run's
      judge, `psnr`, `score` (mean logit). `restored` has `accuracy`, `psnr` and `applications`,
      their mean number, `[M, M]`, with as many applications as `applications` says. Entry
      `[i, j]` is of images transformed by mechanism i and then j, `[i, i]` by i alone.

    Raises:
      ValueError: a setting is not allowed.
      ValueError, WorkdirError, CheckpointError: as `icm_jax.restore.load` and `data.load` do.
    """
    check_settings(settings, SETTINGS)
    config, restorer = configs.from_workdir(workdir), restore.load(workdir)
    test = data.restrict(data.load(config.data), config.data.labels).test
    test = test.take(data.evenly(test.labels, settings.images))
    images = restorer.fitted(test.images, "data")
    model, state = restorer.model, restorer.state
    followed = follow_pairs(
        functools.partial(jax.jit(score_all, static_argnums=0), model, state),
        functools.partial(jax.jit(model.logits), state.discriminator.params),
        restore.load_judge(workdir),
        [mechanisms.build(spec) for spec in config.mechanisms],
        images,
        test.labels,
        settings.limit,
        settings.width,
        streams.of_seed(config.seed, SeedStream.COMPOSITION),
    )
    names = [mechanisms.label(spec) for spec in config.mechanisms]
    found = {
        "seed": config.seed,
        "mechanisms": names,
        "images": len(images),
        "limit": settings.limit,
        **summarize(followed, len(names)),
    }
    return plain(found)


def follow_pairs(
    experts: Experts,
    score: Callable[[jax.Array], jax.Array],
    classify: Callable[[jax.Array], jax.Array],
    bank: Sequence[mechanisms.Mechanism],
    images: np.ndarray,
    labels: np.ndarray,
    limit: int,
    width: int,
    key: jax.Array,
) -> Followed:
    """Follows images that every ordered pair of mechanisms transformed along all applications.

    Args:
      experts: what they make of images float32 `[B, H, W, C]` in [0, 1].
      score: logits `[B]` of such images as they are.
      classify: their classes, int `[B]`.
      bank: M mechanisms.
      images: float32 `[N, H, W, C]` in [0, 1].
      labels: int32 `[N]`.
      limit: K, at least 1.
      width: see `search`.
      key: of what is random in the mechanisms.

    Returns:
      M * M * N images: pair by pair, `(i, j)` being number `i * M + j`; `(i, i)` is mechanism i
      alone.
    """
    count = len(bank)
    # On the diagonal nothing follows the first mechanism.
    stages = (tuple(bank), (*bank, lambda key, image: image))

    @jax.jit
    def transform(images, key, *index):
        for stage, chosen, stage_key in zip(stages, index, jax.random.split(key), strict=True):
            images = mechanisms.apply(stage, stage_key, images, chosen)
        return images

    def call(index):
        pair, which = np.divmod(index, len(images))
        first, second = np.divmod(pair, count)
        second = np.where(first == second, count, second)
        originals = images[which]
        transformed = transform(originals, jax.random.fold_in(key, index[0]), first, second)
        seen = [transformed, *search(experts, transformed, limit, width)]
        scores, classes = [score(x) for x in seen], [classify(x) for x in seen]
        return Followed(
            np.stack(jax.device_get(scores), axis=1),
            np.stack(jax.device_get(classes), axis=1) == labels[which][:, None],
            np.stack([psnr(x, originals) for x in seen], axis=1),
        )

    return in_chunks(call, count**2 * len(images), name="composition")


def search(experts: Experts, images: jax.Array, limit: int, width: int) -> Iterator[jax.Array]:
    """Applies all experts again and again, each time to the outputs that scored best.

    Args:
      experts: what they make of images.
      images: float32 `[B, H, W, C]` in [0, 1].
      limit: how often.
      width: outputs kept for each image; 1 is the competition's winner, applied greedily.

    Yields:
      The best output for each image, `[B, H, W, C]`, after 1, 2, ... applications.
    """
    kept = [images]
    for _ in range(limit):
        tried = [experts(x) for x in kept]
        outputs, scores = (jnp.concatenate(parts) for parts in zip(*tried, strict=True))
        best = jnp.argsort(-scores, axis=0)[:width]
        kept = list(outputs[best, jnp.arange(len(images))])
        yield kept[0]


def applications(scores: np.ndarray) -> np.ndarray:
    """How often experts are applied: until the output is more likely canonical than not.

    To go on while the score rises is worse: the best of many outputs always scores a little
    higher, and half of a pair undone may score lower than nothing.

    Args:
      scores: float `[N, K + 1]`, logits after 0, 1, ... K applications.

    Returns:
      int64 `[N]` in [0, K]: the first whose logit is at least 0; where there is none, the best.
    """
    canonical = scores >= 0
    return np.where(canonical.any(axis=1), canonical.argmax(axis=1), scores.argmax(axis=1))


def summarize(followed: Followed, count: int) -> dict[str, Any]:
    """What `examine` returns of the images that `follow_pairs` followed for `count` mechanisms."""

    def means(values):
        return values.reshape(count, count, -1, *values.shape[1:]).mean(axis=2)

    steps = applications(followed.scores)
    images = np.arange(len(steps))
    return {
        "accuracy": means(followed.correct),
        "psnr": means(followed.psnr),
        "score": means(followed.scores),
        "restored": {
            "accuracy": means(followed.correct[images, steps]),
            "psnr": means(followed.psnr[images, steps]),
            "applications": means(steps),
        },
    }


def kinds(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Which entries `[M, M]` are of pairs, of single mechanisms, of translation and inversion.

    Returns:
      Name -> bool `[M, M]`; kinds of which there is none are left out.
    """
    single = np.eye(len(names), dtype=bool)
    translation = np.array([name.startswith("translate") for name in names])
    inversion = np.array([name == "invert" for name in names])
    masks = {
        "single mechanisms": single,
        "all pairs": ~single,
        "translation, then inversion": translation[:, None] & inversion,
        "inversion, then translation": inversion[:, None] & translation,
    }
    return {name: mask for name, mask in masks.items() if mask.any()}


def succeeds(accuracy: np.ndarray) -> np.ndarray:
    """Which pairs are restored about as often as the worse one of their mechanisms.

    Args:
      accuracy: float `[M, M]` in [0, 1], of pairs and, on the diagonal, of single mechanisms.

    Returns:
      bool `[M, M]`: at most 5 points below the lower of the two; True on the diagonal.
    """
    single = np.diag(accuracy)
    lost = np.minimum(single[:, None], single) - accuracy
    return lost <= _MARGIN + 1e-9  # what rounding may add to a loss of just so much


def numbers(found: Mapping[str, Any]) -> dict[str, float | bool]:
    """The headline of what `examine` found: accuracies in [0, 1]."""
    restored = {name: np.asarray(values) for name, values in found["restored"].items()}
    masks = kinds(found["mechanisms"])
    result = {
        f"accuracy, {name}": restored["accuracy"][mask].mean() for name, mask in masks.items()
    }
    if pairs := [mask for name, mask in masks.items() if name == "all pairs"]:
        result["fraction of pairs that succeed"] = succeeds(restored["accuracy"])[pairs[0]].mean()
        result["applications, all pairs"] = restored["applications"][pairs[0]].mean()
        result["PSNR, all pairs"] = restored["psnr"][pairs[0]].mean()
    result["applications, single mechanisms"] = np.diag(restored["applications"]).mean()
    return {name: float(value) for name, value in result.items()}


def tables(
    found: Sequence[Mapping[str, Any]],
) -> dict[str, tuple[list[str], list[list[str | float]]]]:
    """Means over the seeds as a table, head and rows: a row for each single mechanism and pair."""
    names, limit = found[0]["mechanisms"], found[0]["limit"]
    accuracy = _mean(found, lambda run: run["accuracy"])
    restored = {
        field: _mean(found, lambda run, field=field: run["restored"][field])
        for field in found[0]["restored"]
    }
    good = succeeds(restored["accuracy"])
    head = ["first", "then", "accuracy transformed"]
    head += [f"accuracy after {k}" for k in range(1, limit + 1)]
    head += ["accuracy restored", "applications", "PSNR", "succeeds"]
    single = [(i, i) for i in range(len(names))]
    pairs = [(i, j) for i, j in np.ndindex(len(names), len(names)) if i != j]
    rows = [
        [
            names[i],
            "" if i == j else names[j],
            *accuracy[i, j].tolist(),
            *(float(restored[field][i, j]) for field in ("accuracy", "applications", "psnr")),
            "" if i == j else "yes" if good[i, j] else "no",
        ]
        for i, j in single + pairs
    ]
    return {"pairs": (head, rows)}


def figures(found: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Draws means over the seeds: every pair's accuracy, and accuracy against applications."""
    names = found[0]["mechanisms"]
    restored = _mean(found, lambda run: run["restored"]["accuracy"])
    accuracy = _mean(found, lambda run: run["accuracy"])
    masks = kinds(names)
    return {
        "pairs": drawing.pairs(restored, names, succeeds(restored)),
        "applications": drawing.applications(
            {name: accuracy[mask].mean(axis=0) for name, mask in masks.items()},
            {name: float(restored[mask].mean()) for name, mask in masks.items()},
        ),
    }


def _mean(found: Sequence[Mapping[str, Any]], field: Callable[[Mapping], Any]) -> np.ndarray:
    return np.mean([np.asarray(field(run)) for run in found], axis=0)
