"""Composition: experts undo two mechanisms in a row, applied until an output looks canonical.

Experts have seen images of one mechanism alone. What they make goes through all of them again,
until the discriminator takes it for canonical: see `icm_jax.systems.icm.examinations.search`.
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import data, mechanisms, streams
from icm_jax.config import from_workdir
from icm_jax.schema import Field, Schema, at_least, check_settings, one_of
from icm_jax.streams import SeedStream
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.evaluation import score_all
from icm_jax.systems.icm.examinations.figures import draw_applications, draw_pairs
from icm_jax.systems.icm.examinations.search import (
    Followed,
    Networks,
    Search,
    applications,
    follow_pairs,
)
from icm_jax.training.workdir import plain

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
    config, restorer = from_workdir(workdir), restore.load(workdir)
    test = data.restrict(data.load(config.data), config.data.labels).test
    test = test.take(data.evenly(test.labels, settings.images))
    images = restorer.fitted(test.images, "data")
    model, state = restorer.model, restorer.state
    networks = Networks(
        experts=functools.partial(jax.jit(score_all, static_argnums=0), model, state),
        score=functools.partial(jax.jit(model.logits), state.discriminator.params),
        classify=restore.load_judge(workdir),
    )
    bank = [mechanisms.build(spec) for spec in config.mechanisms]
    key = streams.of_seed(config.seed, SeedStream.COMPOSITION)
    search = Search(settings.limit, settings.width)
    followed = follow_pairs(networks, bank, images, test.labels, search, key)
    names = [mechanisms.label(spec) for spec in config.mechanisms]
    found = {
        "seed": config.seed,
        "mechanisms": names,
        "images": len(images),
        "limit": settings.limit,
        **summarize(followed, len(names)),
    }
    return plain(found)


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
        "pairs": draw_pairs(restored, names, succeeds(restored)),
        "applications": draw_applications(
            {name: accuracy[mask].mean(axis=0) for name, mask in masks.items()},
            {name: float(restored[mask].mean()) for name, mask in masks.items()},
        ),
    }


def _mean(found: Sequence[Mapping[str, Any]], field: Callable[[Mapping], Any]) -> np.ndarray:
    return np.mean([np.asarray(field(run)) for run in found], axis=0)
