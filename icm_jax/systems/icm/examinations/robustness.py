"""Robustness: does a classifier with experts before it tell images that it was not trained on?

The classifier is the judge of a run, which learned canonical images alone. Before it stand the
run's experts, with or without the untouched image as a rival, and with one that is ahead by so much
that canonical images of training are left. Beside it: a classifier trained with
the same mechanisms as augmentation, and the oracle's experts, which are told the mechanism.
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import data, mechanisms, streams
from icm_jax.config import from_workdir
from icm_jax.schema import Field, Schema, at_least, check_settings, one_of
from icm_jax.streams import SeedStream
from icm_jax.systems.icm import diagnosis, restore
from icm_jax.systems.icm.diagnosis import LEFT
from icm_jax.systems.icm.examinations.cases import (
    NONE,
    Case,
    ask_cases,
    check_mechanisms,
    single_cases,
)
from icm_jax.systems.icm.examinations.figures import draw_dots
from icm_jax.systems.icm.examinations.rivals import train_augmented, train_oracle
from icm_jax.systems.icm.examinations.trained import LEFT_SHARE, calibrate, made_good
from icm_jax.training.workdir import plain

_SPECS = ("a tuple of names, or dicts of a name and settings", lambda value: True)
SETTINGS = Schema(
    {
        "kind": Field("robustness", one_of(("robustness",)), "the examination"),
        "images": Field(
            500, at_least(1), "test images under each mechanism, and ten times so many clean"
        ),
        "weaker": Field((), _SPECS, "mechanisms like the run's, but weaker"),
        "stronger": Field((), _SPECS, "mechanisms like the run's, but stronger"),
        "unknown": Field(mechanisms.CORRUPTIONS, _SPECS, "mechanisms that no expert knows"),
        "pairs": Field(50, at_least(0), "test images under each pair of mechanisms; 0: none"),
        "left": LEFT_SHARE,
        "augmented_steps": Field(
            2400, at_least(0), "steps of a classifier with the mechanisms as augmentation; 0: none"
        ),
        "oracle_steps": Field(1000, at_least(0), "steps of experts taught by true pairs; 0: none"),
    },
    check_mechanisms("weaker", "stronger", "unknown"),
)
# Who tells what an image shows.
WAYS = ("bare", "experts", "or left", "calibrated", "twice", "augmented", "oracle")


class Outcome(NamedTuple):
    """What became of N images.

    Attributes:
      correct: float32 `[N, 7]`, whether each of `WAYS` tells what they show; nan where it is not
        asked.
      left: bool `[N]`, whether the untouched image won, after calibration.
    """

    correct: np.ndarray
    left: np.ndarray


class Networks(NamedTuple):
    """What is asked about float32 images `[B, H, W, C]` in [0, 1].

    Attributes:
      restore: what the winner makes of them, what is made where the untouched image competes too,
        the same calibrated, and whether it is left then, bool `[B]`.
      classify: classes `[B]`.
      augmented: likewise, or None.
      oracle: `(images, mechanism int [B]) -> images`, or None.
    """

    restore: Callable[[jax.Array], tuple[np.ndarray, ...]]
    classify: Callable[[jax.Array], jax.Array]
    augmented: Callable[[jax.Array], jax.Array] | None = None
    oracle: Callable[[jax.Array, np.ndarray], jax.Array] | None = None


def examine(workdir: str | os.PathLike, settings: ConfigDict) -> dict[str, Any]:
    """Measures how often test images of a finished run are told under all that may change them.

    Args:
      workdir: of the run, one seed; rivals are trained in its folder `examined`.
      settings: see `SETTINGS`.

    Returns:
      JSON values: `seed`, `mechanisms`, and `cases`, one a way of changing images: `group`, `name`,
      `images`, `accuracy` by each of `WAYS` (null where it was not asked) and `left`, the fraction
      of images that the untouched one won.

    Raises:
      ValueError: a setting is not allowed.
      ValueError, WorkdirError, CheckpointError: as `icm_jax.restore.load` and `data.load` do.
    """
    check_settings(settings, SETTINGS)
    config, restorer = from_workdir(workdir), restore.load(workdir)
    splits = data.load(config.data)
    test = data.restrict(splits, config.data.labels).test
    images = restorer.fitted(test.images, "data")
    restorer = calibrate(restorer, config, splits, settings.left)
    specs = [*config.mechanisms, *settings.weaker, *settings.stronger, *settings.unknown]
    mechanisms.check(specs, images.shape[1:])
    augmented = oracle = None
    if settings.augmented_steps:
        augmented = train_augmented(workdir, config, splits, settings.augmented_steps)
    if settings.oracle_steps:
        oracle = train_oracle(workdir, config, splits, settings.oracle_steps)
    networks = Networks(
        functools.partial(restore_all, restorer), restore.load_judge(workdir), augmented, oracle
    )
    cases = make_cases(config.mechanisms, settings, len(images))
    bank = [mechanisms.build(spec) for spec in specs]
    key = streams.of_seed(config.seed, SeedStream.ROBUSTNESS)
    outcome = measure(networks, bank, cases, images, test.labels, key)
    names = [mechanisms.label(spec) for spec in config.mechanisms]
    return plain({"seed": config.seed, "mechanisms": names, "cases": summarize(outcome, cases)})


def make_cases(known: Sequence[mechanisms.Spec], settings: ConfigDict, most: int) -> list[Case]:
    """All cases: of mechanisms in the order known, weaker, stronger, unknown.

    Args:
      known: the run's mechanisms.
      settings: see `SETTINGS`.
      most: how many images there are.
    """
    some, names = min(settings.images, most), [mechanisms.label(spec) for spec in known]
    groups = {name: settings[name] for name in ("weaker", "stronger", "unknown")}
    pairs = [
        Case("two in a row", f"{names[i]}, {names[j]}", i, j, min(settings.pairs, most))
        for i, j in np.ndindex(len(names), len(names))
        if i != j and settings.pairs
    ]
    clean = Case("clean", "clean", NONE, NONE, min(10 * some, most))
    return [clean, *single_cases({"known": known, **groups}, some), *pairs]


def restore_all(restorer: restore.Restorer, images: jax.Array) -> tuple[np.ndarray, ...]:
    """As `Networks.restore` does, by a model that was calibrated."""
    images, scored = np.asarray(images), jax.device_get(restorer.score(images))
    known = restorer.mechanisms, restorer.numbers
    won, left, calibrated = (
        diagnosis.diagnose(scored, images, *known, leave, lead)
        for leave, lead in ((False, 0.0), (True, 0.0), (True, restorer.lead))
    )
    return won.images, left.images, calibrated.images, calibrated.expert == LEFT


def measure(
    networks: Networks,
    bank: Sequence[mechanisms.Mechanism],
    cases: Sequence[Case],
    images: np.ndarray,
    labels: np.ndarray,
    key: jax.Array,
) -> list[Outcome]:
    """What becomes of the first images in all cases, case by case.

    Args:
      networks: that are asked.
      bank: all mechanisms that cases number.
      cases: what is done with images.
      images: float32 `[N, H, W, C]` in [0, 1].
      labels: int32 `[N]`.
      key: of what is random in the mechanisms.
    """
    first, second = (np.array([getattr(c, name) for c in cases]) for name in ("first", "second"))
    known = np.isin([case.group for case in cases], ("clean", "known", "two in a row"))

    pair = np.array([case.group == "two in a row" for case in cases])

    def ask(changed, case, which):
        won, left, calibrated, stays = networks.restore(changed)
        said = [networks.classify(jnp.asarray(x)) for x in (changed, won, left, calibrated)]
        twice = pair[case].any()
        said.append(networks.classify(networks.restore(left)[1]) if twice else None)
        said.append(networks.augmented(changed) if networks.augmented else None)
        said.append(None)
        if networks.oracle and known[case].any():
            # The last mechanism is undone first.
            undone = networks.oracle(networks.oracle(changed, second[case]), first[case])
            said[-1] = networks.classify(undone)
        nobody = np.full(len(case), np.nan, np.float32)
        right = [nobody if x is None else np.asarray(x) == labels[which] for x in said]
        correct = np.stack(right, axis=1).astype(np.float32)
        correct[~known[case], WAYS.index("oracle")] = np.nan
        correct[~pair[case], WAYS.index("twice")] = np.nan
        return Outcome(correct, stays)

    return ask_cases(ask, bank, cases, images, key, "robustness")


def summarize(outcomes: Sequence[Outcome], cases: Sequence[Case]) -> list[dict[str, Any]]:
    """The `cases` that `examine` returns."""
    return [
        {
            "group": case.group,
            "name": case.name,
            "images": case.count,
            "accuracy": dict(zip(WAYS, outcome.correct.mean(axis=0), strict=True)),
            "left": outcome.left.mean(),
        }
        for case, outcome in zip(cases, outcomes, strict=True)
    ]


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The headline: accuracies in [0, 1], and what is made good of the loss by mechanisms."""
    of = {group: _means(found, group) for group in _groups(found)}
    clean = of["clean"]["bare"]
    result = {}
    for way in WAYS:
        if np.isnan(of["known"][way]):
            continue
        result[f"accuracy clean, {way}"] = of["clean"][way]
        result[f"accuracy known, {way}"] = of["known"][way]
        if way != "bare":
            good = made_good(of["known"]["bare"], of["known"][way], clean)
            result[f"fraction made good, {way}"] = good
    for group in ("weaker", "stronger", "two in a row", "unknown"):
        if group in of:
            for way in ("bare", "calibrated"):
                result[f"accuracy {group}, {way}"] = of[group][way]
    return result


def tables(
    found: Sequence[Mapping[str, Any]],
) -> dict[str, tuple[list[str], list[list[str | float]]]]:
    """Means over the seeds: a row a group, and a row a case but for pairs."""
    asked = [_means(found[0], group) for group in _groups(found[0])]
    ways = [way for way in WAYS if not all(np.isnan(mean[way]) for mean in asked)]
    head = [*(f"accuracy {way}" for way in ways), "fraction left"]

    def row(mean):
        return [float(np.mean([mean(run)[name] for run in found])) for name in (*ways, "left")]

    groups = [[g, *row(lambda run, g=g: _means(run, g))] for g in _groups(found[0])]
    cases = [
        [case["group"], case["name"], *row(lambda run, i=i: _flat(run["cases"][i]))]
        for i, case in enumerate(found[0]["cases"])
        if case["group"] != "two in a row"
    ]
    return {"groups": (["images", *head], groups), "cases": (["group", "images", *head], cases)}


def figures(found: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Draws accuracies mechanism by mechanism, and on all that is not known."""
    known = ("bare", "calibrated", "augmented")
    others, title = ("weaker", "stronger", "unknown"), "Accuracy on what was not trained on"
    return {
        "mechanisms": _draw(found, ("clean", "known"), known, "Accuracy, mechanism by mechanism"),
        "unknown": _draw(found, others, known, title),
    }


_LABELS = {"bare": "classifier alone", "calibrated": "with experts", "augmented": "augmented"}


def _draw(
    found: Sequence[Mapping[str, Any]], groups: Sequence[str], ways: Sequence[str], title: str
) -> Figure:
    places = [i for i, case in enumerate(found[0]["cases"]) if case["group"] in groups]
    series = {}
    for way in ways:
        values = np.array([[run["cases"][i]["accuracy"][way] for i in places] for run in found])
        values = values.astype(float)
        if not np.isnan(values).all():
            series[_LABELS[way]] = values
    names = [found[0]["cases"][i]["name"] for i in places]
    return draw_dots({"accuracy": series}, names, title)


def _groups(found: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(case["group"] for case in found["cases"]))


def _means(found: Mapping[str, Any], group: str) -> dict[str, float]:
    """Of each way and of `left` the mean over the cases of a group; nan where it was not asked."""
    mine = [_flat(case) for case in found["cases"] if case["group"] == group]
    return {name: float(np.mean([case[name] for case in mine])) for name in mine[0]}


def _flat(case: Mapping[str, Any]) -> dict[str, float]:
    accuracy = {way: np.nan if v is None else v for way, v in case["accuracy"].items()}
    return {**accuracy, "left": case["left"]}
