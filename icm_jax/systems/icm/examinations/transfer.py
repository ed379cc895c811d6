"""Transfer: experts meet their mechanisms on data that they never saw, without training.

After Parascandolo et al. 2018, where experts of digits restore characters of Omniglot.
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import mechanisms, paths, streams
from icm_jax.chunks import in_chunks
from icm_jax.config import from_workdir
from icm_jax.data import to_bytes
from icm_jax.schema import Field, Schema, at_least, check_settings, one_of
from icm_jax.streams import SeedStream
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.examinations.figures import draw_dots, draw_samples
from icm_jax.systems.icm.examinations.images import DATA, GROUP_BY, load_images
from icm_jax.systems.icm.restoration import psnr
from icm_jax.systems.icm.specialization import own_expert, win_matrix
from icm_jax.training.workdir import plain, read_json

Table = tuple[list[str], list[list[str | float]]]

SETTINGS = Schema(
    {
        "kind": Field("transfer", one_of(("transfer",)), "the examination"),
        "data": DATA,
        "images": Field(
            3000,
            at_least(0),
            "how many of both splits of these data, evenly of all groups and classes; 0: all",
        ),
        "group_by": GROUP_BY,
    }
)
_ENOUGH = 0.95  # of its mechanism's images an expert that transfers wins


class Outcome(NamedTuple):
    """What experts made of N images under each of M mechanisms.

    Attributes:
      experts: int32 `[M, N]`, the winners.
      before: float64 `[M, N]`, PSNR of the transformed image in decibels.
      after: float64 `[M, N]`, PSNR of what the winner made of it.
    """

    experts: np.ndarray
    before: np.ndarray
    after: np.ndarray


def examine(workdir: str | os.PathLike, settings: ConfigDict) -> dict[str, Any]:
    """Lets the experts of a finished run compete for other images under all its mechanisms.

    The right expert of a mechanism is its own on the run's test set: the one matched with it, if
    that is the main winner there.

    Args:
      workdir: of the run, one seed; see `icm_jax.restore.load`.
      settings: see `SETTINGS`.

    Returns:
      JSON values: `seed`, `images`, `mechanisms` (M names), `experts` (the right one, null for
      none), `wins` `[M, E]`; by mechanism `winner_accuracy` (null where no expert is right),
      `psnr_transformed` and `psnr_restored`; `groups`, name -> `images` and the means over the
      mechanisms of these three; `samples`, uint8 `[M, H, W, C]` `original`, `transformed` and
      `restored`, and `winners` `[M]`.

    Raises:
      ValueError: the images do not come to the size that the run was trained on, or another
        setting is not allowed.
      ValueError, WorkdirError, CheckpointError: as `icm_jax.restore.load` and `data.load` do.
    """
    check_settings(settings, SETTINGS)
    config, restorer = from_workdir(workdir), restore.load(workdir)
    images, groups = load_images(settings.data, settings.images, restorer, settings.group_by)
    wins = np.asarray(
        read_json(paths.local(workdir, "workdir") / "summary.json")["specialization"]["wins"]
    )
    outcome, samples = measure(
        restorer.compete,
        [mechanisms.build(spec) for spec in config.mechanisms],
        images,
        streams.of_seed(config.seed, SeedStream.TRANSFER),
    )
    found = {
        "seed": config.seed,
        "images": len(images),
        "mechanisms": [mechanisms.label(spec) for spec in config.mechanisms],
        **summarize(outcome, own_expert(wins), wins.shape[1], groups),
        "samples": samples,
    }
    return plain(found)


def measure(
    apply: Callable[[jax.Array], restore.Restored],
    bank: Sequence[mechanisms.Mechanism],
    images: np.ndarray,
    key: jax.Array,
) -> tuple[Outcome, dict[str, np.ndarray]]:
    """Lets experts compete for all images under all mechanisms.

    Args:
      apply: the competition for images float32 `[B, H, W, C]` in [0, 1].
      bank: M mechanisms.
      images: float32 `[N, H, W, C]` in [0, 1].
      key: of what is random in the mechanisms.

    Returns:
      What came of it, and `samples` as `examine` returns them.
    """
    count, n = len(bank), len(images)
    transform = jax.jit(functools.partial(mechanisms.apply, tuple(bank)))

    def compete(index):
        mechanism, which = np.divmod(index, n)
        originals = images[which]
        transformed = transform(jax.random.fold_in(key, index[0]), originals, mechanism)
        return originals, transformed, apply(transformed)

    def outcome(index):
        originals, transformed, restored = compete(index)
        return Outcome(
            restored.expert, psnr(transformed, originals), psnr(restored.images, originals)
        )

    outcomes = in_chunks(outcome, count * n, name="transfer")
    # Image m by mechanism m, from the first image again where there are fewer.
    shown = np.arange(count) * n + np.arange(count) % n
    originals, transformed, restored = in_chunks(lambda index: compete(shown[index]), count)
    pixels = {"original": originals, "transformed": transformed, "restored": restored.images}
    samples = {name: to_bytes(x) for name, x in pixels.items()}
    outcomes = jax.tree.map(lambda part: part.reshape(count, n), outcomes)
    return outcomes, samples | {"winners": restored.expert}


def summarize(
    outcome: Outcome, right: np.ndarray, experts: int, groups: np.ndarray | None = None
) -> dict[str, Any]:
    """What `examine` returns of an outcome.

    Args:
      outcome: of `measure`.
      right: int `[M]`, each mechanism's own expert, -1 for none.
      experts: E.
      groups: `[N]`, the name of each image's group.
    """
    count, n = outcome.experts.shape
    won = outcome.experts == right[:, None]  # [M, N]
    known = right >= 0

    def means(images):
        return {
            "psnr_transformed": outcome.before[:, images].mean(axis=1),
            "psnr_restored": outcome.after[:, images].mean(axis=1),
            "winner_accuracy": np.where(known, won[:, images].mean(axis=1), np.nan),
        }

    by_group = {}
    for name in np.unique([] if groups is None else groups):
        mine = groups == name
        of_all = {field: _mean(values) for field, values in means(mine).items()}
        by_group[str(name)] = {"images": int(mine.sum()), **of_all}
    mechanism = np.repeat(np.arange(count), n)
    return {
        "experts": [int(expert) if expert >= 0 else None for expert in right],
        "wins": win_matrix(outcome.experts.ravel(), mechanism, count, experts),
        **means(slice(None)),
        "groups": by_group,
    }


def numbers(found: Mapping[str, Any]) -> dict[str, float | bool]:
    """The headline of what `examine` found, over the mechanisms; accuracies in [0, 1]."""
    accuracy = np.array(found["winner_accuracy"], float)
    before, after = (np.array(found[f"psnr_{kind}"]) for kind in ("transformed", "restored"))
    return {
        "all experts transfer": bool((accuracy >= _ENOUGH).all()),
        "winner accuracy": _mean(accuracy),
        "winner accuracy, least": float(min(accuracy[~np.isnan(accuracy)], default=np.nan)),
        "PSNR transformed": float(before.mean()),
        "PSNR restored": float(after.mean()),
        "PSNR gain, least": float((after - before).min()),
    }


def tables(found: Sequence[Mapping[str, Any]]) -> dict[str, Table]:
    """Means over the seeds as tables, head and rows: a row a mechanism, and a row a group."""

    def table(first, names, of):
        columns = [[_mean(column) for column in of(found, field).T] for field in _FIELDS]
        return [first, *_HEAD], [list(row) for row in zip(names, *columns, strict=True)]

    made = {"mechanisms": table("mechanism", found[0]["mechanisms"], _over_seeds)}
    if found[0]["groups"]:
        made["groups"] = table("group", list(found[0]["groups"]), _of_groups)
    return made


def figures(found: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Draws samples of the first seed, and numbers by mechanism and by group of all seeds."""
    first = found[0]
    pixels = {
        kind: np.array(first["samples"][kind]) / 255
        for kind in ("original", "transformed", "restored")
    }
    winners = np.array(first["samples"]["winners"])
    right = winners == np.array([-1 if e is None else e for e in first["experts"]])
    names = first["mechanisms"]
    drawn = {
        "samples": draw_samples(*pixels.values(), right, names),
        "mechanisms": _dots({field: _over_seeds(found, field) for field in _FIELDS}, names),
    }
    if first["groups"]:
        of = {field: _of_groups(found, field) for field in _FIELDS}
        drawn["groups"] = _dots(of, list(first["groups"]))
    return drawn


_FIELDS = ("winner_accuracy", "psnr_transformed", "psnr_restored")
_HEAD = ("winner accuracy", "PSNR transformed", "PSNR restored")


def _dots(of: Mapping[str, np.ndarray], names: Sequence[str]) -> Figure:
    panels = {
        "right expert wins": {"": of["winner_accuracy"]},
        "PSNR in dB": {"transformed": of["psnr_transformed"], "restored": of["psnr_restored"]},
    }
    return draw_dots(panels, names, "Experts on other data, without training")


def _over_seeds(found: Sequence[Mapping[str, Any]], field: str) -> np.ndarray:
    """float64 `[S, M]`, nan for null."""
    return np.array([run[field] for run in found], float)


def _of_groups(found: Sequence[Mapping[str, Any]], field: str) -> np.ndarray:
    """float64 `[S, G]`, nan for null."""
    return np.array([[group[field] for group in run["groups"].values()] for run in found], float)


def _mean(values: np.ndarray) -> float:
    """The mean of what is known; nan where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
