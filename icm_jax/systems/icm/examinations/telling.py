"""Telling what happened: whose mechanism an image shows, how sure that is, and whether it is any's.

The mechanism is that of the winner, or none where the untouched image wins. Confidence is the
margin of the winner's logit over the best of another mechanism, see `diagnosis.confidence`.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict
from scipy.optimize import minimize_scalar

from icm_jax import data, mechanisms, streams
from icm_jax.config import from_workdir
from icm_jax.evaluation import metrics, ranking
from icm_jax.report import lines
from icm_jax.schema import Field, Schema, at_least, check_settings, one_of
from icm_jax.streams import SeedStream
from icm_jax.systems.icm import diagnosis, restore
from icm_jax.systems.icm.diagnosis import UNTOUCHED
from icm_jax.systems.icm.examinations.cases import (
    NONE,
    Case,
    ask_cases,
    check_mechanisms,
    single_cases,
)
from icm_jax.systems.icm.examinations.images import DATA, OWN, load_own_or_other
from icm_jax.systems.icm.examinations.trained import LEFT_SHARE, calibrate
from icm_jax.training.workdir import plain

SETTINGS = Schema(
    {
        "kind": Field("diagnosis", one_of(("diagnosis",)), "the examination"),
        "own": OWN,
        "data": DATA,
        "images": Field(500, at_least(2), "under each mechanism, and as many clean ones"),
        "unknown": Field(
            mechanisms.CORRUPTIONS,
            ("a tuple of names, or dicts of a name and settings", lambda value: True),
            "mechanisms that no expert knows, to be noticed",
        ),
    },
    check_mechanisms("unknown"),
)
_BINS = 10
_ACCURACIES = ("accuracy", "calibrated")


class Answers(NamedTuple):
    """What a bank says of N images.

    Attributes:
      mechanism: text `[N]`, whose it is; 'none' where the untouched image wins.
      expert: text `[N]`, whose it is of the experts alone.
      margin: float `[N]`, of logits, see `diagnosis.margins`.
      score: float `[N]`, the best logit, that of the untouched image included.
      advantage: float `[N]`, the untouched image's logit less that of the best output.
    """

    mechanism: np.ndarray
    expert: np.ndarray
    margin: np.ndarray
    score: np.ndarray
    advantage: np.ndarray


def examine(workdir: str | os.PathLike, settings: ConfigDict) -> dict[str, Any]:
    """Asks the experts of a finished run what was done to images.

    Args:
      workdir: of the run, one seed; see `icm_jax.restore.load`.
      settings: see `SETTINGS`.

    Returns:
      JSON values: `seed`, `images` under each mechanism, and as in `summarize`.

    Raises:
      ValueError: a setting is not allowed, or images do not come to the size of the run's.
      ValueError, WorkdirError, CheckpointError: as `icm_jax.restore.load` and `data.load` do.
    """
    check_settings(settings, SETTINGS)
    config, restorer = from_workdir(workdir), restore.load(workdir)
    splits = data.load(config.data)
    images = load_own_or_other(config, splits, settings, restorer)
    count = min(settings.images, len(images))
    groups = {"known": config.mechanisms, "unknown": settings.unknown}
    specs = [spec for of in groups.values() for spec in of]
    mechanisms.check(specs, images.shape[1:])
    cases = [Case("clean", UNTOUCHED, NONE, NONE, count), *single_cases(groups, count)]

    def ask(changed, case, which):
        return answer(jax.device_get(restorer.score(changed)), restorer.mechanisms)

    bank = [mechanisms.build(spec) for spec in specs]
    key = streams.of_seed(config.seed, SeedStream.DIAGNOSIS)
    answers = ask_cases(ask, bank, cases, images, key, "diagnosis")
    lead = calibrate(restorer, config, splits, LEFT_SHARE.default).lead
    return plain({"seed": config.seed, "images": count, **summarize(answers, cases, lead)})


def answer(scored: diagnosis.Scored, kinds: Sequence[str]) -> Answers:
    """What experts that stand for mechanisms `kinds` say of images that they were given."""
    logits = np.concatenate([scored.logits, scored.own[None]])
    names = (*kinds, UNTOUCHED)
    return Answers(
        np.array(names)[logits.argmax(axis=0)],
        np.array(kinds)[scored.logits.argmax(axis=0)],
        diagnosis.margins(logits, names),
        logits.max(axis=0),
        scored.own - scored.logits.max(axis=0),
    )


def summarize(
    answers: Sequence[Answers], cases: Sequence[Case], lead: float = 0.0
) -> dict[str, Any]:
    """What is right, how well that is known, and how well the unknown is noticed.

    Args:
      answers: to each case.
      cases: clean images, those of known mechanisms and of others.
      lead: see `restore.Restorer.calibrate`.

    Returns:
      `accuracy`, name -> fraction told right, of 'none' and of each known mechanism; `right`, the
      mean; `calibrated`, as `accuracy` where experts must be ahead by the lead; `ece`, the expected
      calibration error of the confidence, and `ece_scaled` after dividing margins by `temperature`,
      which was fitted on the other half of the images; `bins`, the `confidence`, `accuracy` and
      `count` of ten bins of confidence; `clean`, the AUROC of clean images against those of known
      mechanisms by the untouched image's advantage; `unknown`, name -> AUROC of a known mechanism's
      (or clean) images against those, by `score` and by `confidence`, and as which mechanism they
      are taken most often, `taken_for`.
    """
    told = [(c, a) for c, a in zip(cases, answers, strict=True) if c.group != "unknown"]
    margin = np.concatenate([of.margin for _, of in told])
    right = np.concatenate([of.mechanism == case.name for case, of in told])
    score = np.concatenate([of.score for _, of in told])
    half = np.arange(len(margin)) % 2 == 0
    temperature = fit_temperature(margin[half], right[half])
    clean, known = (
        np.concatenate([of.advantage for case, of in told if case.group == group])
        for group in ("clean", "known")
    )
    unknown = {}
    for case, of in zip(cases, answers, strict=True):
        if case.group == "unknown":
            names, counts = np.unique(of.mechanism, return_counts=True)
            unknown[case.name] = {
                "score": ranking.auroc(score, of.score),
                "confidence": ranking.auroc(margin, of.margin),
                "taken_for": str(names[counts.argmax()]),
            }
    return {
        "accuracy": {case.name: (of.mechanism == case.name).mean() for case, of in told},
        "right": right.mean(),
        "calibrated": {case.name: (_told(of, lead) == case.name).mean() for case, of in told},
        "ece": calibration_error(margin, right),
        "temperature": temperature,
        "ece_scaled": calibration_error(margin[~half] / temperature, right[~half]),
        "bins": bin_confidence(margin, right),
        "clean": ranking.auroc(clean, known),
        "unknown": unknown,
    }


def _told(of: Answers, lead: float) -> np.ndarray:
    """Whose images are, text `[N]`, where experts must be ahead of the untouched image."""
    return np.where(of.advantage + lead > 0, UNTOUCHED, of.expert)


def calibration_error(margin: np.ndarray, right: np.ndarray) -> float:
    """The expected calibration error of `diagnosis.confidence` (Guo et al. 2017, eq. 3).

    Args:
      margin: float `[N]`, at least 0.
      right: bool `[N]`.
    """
    sure = diagnosis.confidence(np.asarray(margin, np.float64))
    # Twenty bins of [0, 1]: ten from 0.5 on, where all confidences lie.
    of = np.stack([sure, 1 - sure], axis=1)
    return metrics.expected_calibration_error(of, np.where(right, 0, 1), 2 * _BINS)


def fit_temperature(margin: np.ndarray, right: np.ndarray) -> float:
    """What margins are to be divided by so that confidences are likeliest (Guo et al. 2017, 4.2).

    Args:
      margin: float `[N]`, at least 0.
      right: bool `[N]`.

    Returns:
      From 0.01 to 100.
    """
    signed = np.where(right, margin, -margin).astype(np.float64)

    def loss(log):
        return np.logaddexp(0, -signed / np.exp(log)).mean()

    return float(np.exp(minimize_scalar(loss, bounds=np.log([0.01, 100]), method="bounded").x))


def bin_confidence(margin: np.ndarray, right: np.ndarray) -> dict[str, list[float]]:
    """Mean confidence, accuracy and count in ten bins of confidence from 0.5 to 1; nan in none."""
    sure = diagnosis.confidence(np.asarray(margin, np.float64))
    which = np.searchsorted(np.linspace(0.5, 1, _BINS + 1)[1:-1], sure)
    count = np.bincount(which, minlength=_BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(which, x, _BINS) / count for x in (sure, right)]
    return {"confidence": means[0], "accuracy": means[1], "count": count}


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The headline: accuracies in [0, 1], calibration errors and AUROC."""
    known = [value for name, value in found["accuracy"].items() if name != UNTOUCHED]
    noticed = {
        f"AUROC unknown, by {name}": float(np.mean([of[name] for of in found["unknown"].values()]))
        for name in ("score", "confidence")
        if found["unknown"]
    }
    return {
        "accuracy, known mechanisms": float(np.mean(known)),
        "accuracy, clean": found["accuracy"][UNTOUCHED],
        "accuracy, both": found["right"],
        "accuracy, known mechanisms, calibrated": float(
            np.mean([v for name, v in found["calibrated"].items() if name != UNTOUCHED])
        ),
        "accuracy, clean, calibrated": found["calibrated"][UNTOUCHED],
        "calibration error": found["ece"],
        "calibration error, scaled": found["ece_scaled"],
        "temperature": found["temperature"],
        "AUROC clean": found["clean"],
        **noticed,
    }


def tables(
    found: Sequence[Mapping[str, Any]],
) -> dict[str, tuple[list[str], list[list[str | float]]]]:
    """Means over the seeds: a row a mechanism, and a row an unknown one."""
    told = [
        [name, *(float(np.mean([run[of][name] for run in found])) for of in _ACCURACIES)]
        for name in found[0]["accuracy"]
    ]
    made = {"mechanisms": (["mechanism", "accuracy", "accuracy, calibrated"], told)}
    if found[0]["unknown"]:
        fields = ("score", "confidence")
        rows = [
            [
                name,
                *(float(np.mean([run["unknown"][name][f] for run in found])) for f in fields),
                ", ".join(dict.fromkeys(run["unknown"][name]["taken_for"] for run in found)),
            ]
            for name in found[0]["unknown"]
        ]
        made["unknown"] = (["unknown", "AUROC by score", "by confidence", "taken for"], rows)
    return made


def figures(found: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Draws accuracy against confidence, a line a seed, beside that of a calibrated one."""
    series = {"calibrated": ([0.5, 1], [0.5, 1])}
    for run in found:
        bins = run["bins"]
        there = [i for i, count in enumerate(bins["count"]) if count]
        series[f"seed {run['seed']}"] = tuple(
            [bins[name][i] for i in there] for name in ("confidence", "accuracy")
        )
    title = "How often a diagnosis is right, by its confidence"
    return {"calibration": lines.curves(series, title, "accuracy", xlabel="confidence")}
