"""What stable features are judged by: accuracy on given and true labels, by channel and cell."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax.data import Dataset
from icm_jax.report import figures, lines, series
from icm_jax.supervised import Parameters
from icm_jax.system import Evaluation
from icm_jax.systems.stable_features import tofu_evaluation
from icm_jax.systems.stable_features.channels import Task
from icm_jax.systems.stable_features.measures import measure_part
from icm_jax.systems.stable_features.model import ApplyBatched
from icm_jax.systems.stable_features.state import State, selected_parameters

_SELECTIONS = {
    "worst_group": "worst group of a part of the training data",
    "validation": "validation images, which are as the test images are",
    "last": "the last step",
}

# Of a run in a study, by their names in a summary's `accuracy`.
_NUMBERS = {
    "test_true": "test accuracy, true labels",
    "worst_cell_true": "accuracy in the worst cell",
    "test_given": "test accuracy, given labels",
    "validation_given": "validation accuracy, given labels",
}


def evaluate(
    config: ConfigDict,
    apply_batched: ApplyBatched,
    task: Task,
    state: State,
    auxiliary: Mapping[str, Any],
    complete: bool,
) -> Evaluation:
    """Evaluates a state; quickly, by the present parameters and fewer images, if not `complete`."""
    del auxiliary
    parameters = selected_parameters(state) if complete else state.learner.parameters
    some = np.arange(min(config.evaluation.images, len(task.test.labels)))
    test = task.test if complete else task.test.take(some)
    logits, measured = {}, {}
    for name, part in (("validation", task.validation), ("test", test)):
        logits[name], measured[name] = _measure(apply_batched, parameters, part, task.channels)
    cells = np.asarray(measured["test"]["true"]["cells"])
    for found in measured.values():
        for kind in found.values():
            del kind["cells"]
    scalars, summary = _summarize(config, state, measured)
    arrays = {"cells": cells}
    if complete and config.method == "tofu":
        summary["tofu"], more = tofu_evaluation.evaluate(task, state)
        arrays |= more
    files = {"test.txt": _predictions(logits["test"])} if complete else {}
    return Evaluation(scalars, summary, arrays, files)


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary by which runs are compared."""
    return {name.replace("_", " "): value for name, value in summary["accuracy"].items()}


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The row of a run in a study.

    Args:
      summary: as in `summary.json`.
      records: as in `metrics.jsonl`.
    """
    del records
    accuracy = summary["accuracy"]
    found = {name: accuracy[key] for key, name in _NUMBERS.items() if key in accuracy}
    return found | {"step of the parameters": summary["selection"]["step"]}


def draw_figures(
    config: ConfigDict, evaluation: Evaluation, records: list[dict]
) -> dict[str, Figure]:
    """The run in pictures: training, accuracy by channel and cell, and the steps of TOFU."""
    cells = evaluation.arrays["cells"]
    labels, channels = (list(map(str, range(size))) for size in cells.shape)
    parts = {
        f"{name}, {kind} labels": (
            range(len(channels)),
            evaluation.summary[name][kind]["per_channel"]["accuracy"],
        )
        for name in ("validation", "test")
        for kind in ("given", "true")
        if kind in evaluation.summary[name]
    }
    drawn = {
        "channels": lines.curves(parts, "Accuracy by channel", "accuracy", xlabel="channel"),
        "cells": figures.matrix(
            cells, labels, channels, "Accuracy, true labels", "label", "channel"
        ),
        "training": lines.panels(series.charts(records), "Training"),
    }
    names = {
        "test_true": "test, true labels",
        "validation_given": "validation, given labels",
        "held_out": "held out (selection)",
    }
    curves = {label: series.evaluated(records, name) for name, label in names.items()}
    curves = {label: found for label, found in curves.items() if found[0]}
    drawn["accuracy"] = lines.curves(curves, "Accuracy along training", "accuracy")
    if config.method == "tofu":
        drawn |= tofu_evaluation.draw(evaluation)
    return drawn


def _summarize(
    config: ConfigDict, state: State, measured: Mapping[str, Mapping[str, dict]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scalars and the summary of what was measured of validation and test images."""
    accuracy = _accuracy(measured)
    scalars = {name: accuracy[name] for name in ("validation_given", "test_true")}
    scalars["channel_accuracy"] = measured["test"]["true"]["per_channel"]["accuracy"]
    if np.isfinite(state.best.now):
        scalars["held_out"] = float(state.best.now)
    selection = {
        "by": _SELECTIONS[config.selection.by],
        "score": float(state.best.score),
        "step": int(state.best.step),
    }
    summary = {
        "method": config.method,
        "network": config.network,
        "accuracy": accuracy,
        "selection": selection,
        **measured,
    }
    return scalars, summary


def _measure(
    apply_batched: ApplyBatched, parameters: Parameters, part: Dataset, channels: int
) -> tuple[np.ndarray, Mapping[str, dict]]:
    """Logits `[N, L]` of a data set, and what they are measured to be worth."""
    given, channel = part.attributes["given"], part.attributes["channel"]
    logits = apply_batched(parameters, part.images, channel).logits
    return logits, measure_part(logits, part.labels, given, channel, channels)


def _accuracy(measured: Mapping[str, Mapping[str, dict]]) -> dict[str, float]:
    """The run's result in numbers; `test_given` where the test images have given labels."""
    validation, test = measured["validation"], measured["test"]
    result = {
        "validation_given": validation["given"]["accuracy"],
        "test_true": test["true"]["accuracy"],
        "worst_cell_true": test["true"]["worst_cell"]["accuracy"],
    }
    if "given" in test:
        result["test_given"] = test["given"]["accuracy"]
    return result


def _predictions(logits: np.ndarray) -> str:
    """A line an image, `<number>.npy <label>`, as the report of the ten-channel MNIST has it."""
    return "".join(f"{i}.npy {label}\n" for i, label in enumerate(logits.argmax(axis=1)))
