"""What TOFU's steps found, in numbers and pictures: cross-prediction, embedding, clusters."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from icm_jax.evaluation.groups import group_mean
from icm_jax.report import figures, scatter
from icm_jax.system import Evaluation
from icm_jax.systems.stable_features.channels import Task
from icm_jax.systems.stable_features.clusters import agreement
from icm_jax.systems.stable_features.partition import outcomes
from icm_jax.systems.stable_features.state import State


def evaluate(task: Task, state: State) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The summary and the arrays of the steps before the target's."""
    crossed, in_channel = _cross_prediction(task, state)
    clusters, shares = _clusters(task, state)
    shown = np.asarray(state.found.shown)
    arrays = {
        "outcomes_in_channel": in_channel,
        "clusters_in_channel": shares,
        "plane": np.asarray(state.found.plane),
        "plane_channel": task.train.attributes["channel"][shown],
        "v_measure": np.asarray([row["v_measure"] for row in clusters["of_label"].values()]),
        "homogeneity": np.asarray([row["homogeneity"] for row in clusters["of_label"].values()]),
    }
    return {"cross_prediction": crossed, "clusters": clusters}, arrays


def draw(evaluation: Evaluation) -> dict[str, Figure]:
    """The three steps in pictures."""
    arrays = evaluation.arrays
    in_channel, shares = arrays["outcomes_in_channel"], arrays["clusters_in_channel"]
    labels = [str(label) for label in range(len(shares))]
    pairs = evaluation.summary["tofu"]["cross_prediction"]
    rows = [f"{pair}, {outcome}" for pair in pairs for outcome in ("right", "mistaken")]
    mean = {name: arrays[name].mean() for name in ("homogeneity", "v_measure")}
    return {
        "cross_prediction": figures.matrix(
            in_channel, rows, labels, "Share in the channel of the given label", "", "given label"
        ),
        "embedding": scatter.scatter(
            arrays["plane"],
            arrays["plane_channel"],
            [f"channel {c}" for c in range(int(arrays["plane_channel"].max()) + 1)],
            "Embedding of target images",
        ),
        "clusters": figures.matrix(
            shares,
            labels,
            [f"cluster {k}" for k in range(shares.shape[1])],
            f"Share in the channel of the given label: homogeneity {mean['homogeneity']:.2f}, "
            f"V-measure {mean['v_measure']:.2f}",
            "given label",
        ),
    }


def _cross_prediction(task: Task, state: State) -> tuple[dict[str, Any], np.ndarray]:
    """How right the classifiers of other environments are, and which images are on which side.

    Returns:
      For every pair of an environment and another's classifier its accuracy on given labels, and
      of both outcomes the share of images in the channel of their given label; that share by
      given label too, float `[2 E (E - 1), L]`.
    """
    seen, count = task.train.attributes, len(task.source)
    outcome = outcomes(state.found.predicted, seen, task)
    own = np.tile(seen["channel"] == seen["given"], count - 1).astype(float)
    label, flat = np.tile(seen["given"], count - 1), outcome.reshape(-1)
    here = flat >= 0
    groups = 2 * count * (count - 1)
    by_label = group_mean(
        own[here], flat[here] * task.classes + label[here], groups * task.classes
    ).reshape(groups, task.classes)
    shares = group_mean(own[here], flat[here], groups)
    sizes = np.bincount(flat[here], minlength=groups)
    summary = {}
    for position in range(count):
        for view in range(count - 1):
            right = 2 * (position * (count - 1) + view)
            total = sizes[right] + sizes[right + 1]
            name = f"environment {position} by {(position + 1 + view) % count}"
            summary[name] = {
                "accuracy": float(sizes[right] / total),
                "right_in_channel": float(shares[right]),
                "mistaken_in_channel": float(shares[right + 1]),
            }
    return summary, by_label


def _clusters(task: Task, state: State) -> tuple[dict[str, Any], np.ndarray]:
    """How clusters agree with whether an image lies in the channel of its given label.

    Returns:
      Homogeneity, completeness and V-measure, by label and their means, and those against the
      channel itself; the share of images in their label's channel, float `[L, K]`.
    """
    seen, cluster = task.train.attributes, np.asarray(state.found.cluster)
    per_label = len(state.found.clusters.count) // task.classes
    here = cluster >= 0
    own = seen["channel"] == seen["given"]
    of_label, of_channel = {}, {}
    for label in range(task.classes):
        index = np.flatnonzero(here & (seen["given"] == label))
        if len(index):
            number, name = cluster[index] % per_label, str(label)
            of_label[name] = agreement(number, own[index].astype(int))._asdict()
            of_channel[name] = agreement(number, seen["channel"][index])._asdict()
    shares = group_mean(own[here].astype(float), cluster[here], task.classes * per_label)
    summary = {"mean": _mean(of_label), "mean_of_channel": _mean(of_channel), "of_label": of_label}
    return summary, shares.reshape(task.classes, per_label)


def _mean(of_label: dict[str, dict[str, float]]) -> dict[str, float]:
    """The means over labels, name by name."""
    rows = list(of_label.values())
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
