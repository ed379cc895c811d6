"""What a detector is judged by: recall of each group, and whether what it does not know is true."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from icm_jax.data import Dataset
from icm_jax.evaluation import ranking
from icm_jax.system import Evaluation
from icm_jax.systems.risk.detection.cleaning import describe_cleaning
from icm_jax.systems.risk.detection.representation import show_faces
from icm_jax.systems.risk.detection.skin import describe_luminance
from icm_jax.systems.risk.detection.state import Detector, State
from icm_jax.systems.risk.groups import FACE
from icm_jax.systems.risk.worlds import World
from icm_jax.systems.risk.wrappers import Risk

_BINS = 10
_RARE = 0.03  # share of the faces up to which a group is called rare
# name -> float64 [N]
Scores = Mapping[str, np.ndarray]
SCORES = ("density", "epistemic", "aleatoric", "novelty")


def evaluate(
    detector: Detector,
    world: World,
    state: State,
    auxiliary: Mapping[str, Any],
    complete: bool,
) -> Evaluation:
    """Evaluates a state on the test images; what is in the report only if `complete`."""
    del auxiliary
    test = world.splits.test
    risk = detector.describe(state.variables, test.images)
    right = risk.prediction.argmax(axis=1) == test.attributes["true"]
    accuracy = _accuracy(world, test, right)
    sampled = sampled_shares(world, np.asarray(state.weights))
    scores = _scores(risk)
    groups = _describe_groups(world, test, scores)
    bins = _bin_faces(test, scores, right)
    scalars = {
        "accuracy": accuracy["all"],
        "group_recall": accuracy["groups"],
        "worst_group": accuracy["worst_group"],
        "non_faces": accuracy["non_faces"],
        "sampled_share": sampled["groups"],
        "effective_faces": sampled["effective"],
        **{f"recall_by_{name}": recall for name, recall in bins.items()},
    }
    summary = {
        "image_shape": list(test.images.shape[1:]),
        "world": detector.config.world.name,
        "resampling": detector.config.resampling.by,
        "accuracy": accuracy,
        "sampling": sampled,
        "cleaning": describe_cleaning(world, np.asarray(state.weights)),
        "groups": groups,
        "luminance": describe_luminance(world, right, scores),
        "bins": bins,
        "scores": _judge_scores(world, test, scores, groups),
    }
    arrays = show_faces(detector, world, state) if complete else {}
    summary["pictures"] = (
        ["luminance"] * bool(summary["luminance"])
        + ["bins"] * bool(bins)
        + ["faces", "mean_faces"] * bool(arrays)
    )
    return Evaluation(scalars, summary, arrays)


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary by which runs are compared."""
    accuracy = summary["accuracy"]
    found = {
        "accuracy": accuracy["all"],
        "ordinary faces": accuracy["ordinary"],
        "worst group": accuracy["worst_group"],
        "non-faces": accuracy["non_faces"],
    }
    return {name: value for name, value in found.items() if value is not None}


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The row of a run in a study: `headline`, what scores are worth, recall by luminance."""
    del records
    quarters = {f"{row['name']} quarter": row["recall"] for row in summary["luminance"]}
    effective = {"effective faces": summary["sampling"]["effective"]}
    return {**headline(summary), **summary["scores"], **effective, **quarters}


def sampled_shares(world: World, weights: np.ndarray) -> dict[str, Any]:
    """How often faces of each group are drawn, and how many faces that is worth.

    Args:
      world: of G groups.
      weights: float32 `[N]`, of its training images.

    Returns:
      `groups`, shares `[G]`; `effective`, the effective number of faces, and `of` how many.
    """
    train = world.splits.train
    faces = train.labels == FACE
    weights = weights[faces].astype(np.float64)
    group = train.attributes["group"][faces]
    shares = np.bincount(group, weights, len(world.names)) / max(weights.sum(), 1e-12)
    return {
        "groups": shares.tolist(),
        "effective": float(ranking.effective_sample_size(weights)),
        "of": int(faces.sum()),
    }


def _accuracy(world: World, test: Dataset, right: np.ndarray) -> dict[str, Any]:
    """Shares of test images that are called what they are; None of nothing."""
    true, group = test.attributes["true"], test.attributes["group"]
    groups, non_face_groups = (
        [ranking.mean(right[of_class & (group == g)]) for g in range(len(world.names))]
        for of_class in (true == FACE, true != FACE)
    )
    common = int(np.argmax(world.shares))
    return {
        "all": ranking.mean(right),
        "faces": ranking.mean(right[true == FACE]),
        "non_faces": ranking.mean(right[true != FACE]),
        "groups": groups,
        "non_face_groups": non_face_groups,
        "ordinary": groups[common],
        "worst_group": min((share for share in groups if share is not None), default=None),
    }


def _describe_groups(world: World, test: Dataset, scores: Scores) -> list[dict[str, Any]]:
    """Of each group its name, share and rate, and mean scores of its test faces."""
    faces, group = test.attributes["true"] == FACE, test.attributes["group"]
    described = []
    for number, (name, share, rate) in enumerate(
        zip(world.names, world.shares, world.rates, strict=True)
    ):
        here = faces & (group == number)
        means = {key: ranking.mean(value[here]) for key, value in scores.items()}
        described.append({"name": name, "share": share, "rate": rate, **means})
    return described


def _bin_faces(test: Dataset, scores: Scores, right: np.ndarray) -> dict[str, list[float]]:
    """Recall of test faces in ten bins of equal size by each score, from low to high."""
    faces = test.attributes["true"] == FACE
    if faces.sum() < _BINS:
        return {}
    return {
        name: ranking.binned(right[faces].astype(float), score[faces], _BINS).tolist()
        for name, score in scores.items()
    }


def _judge_scores(
    world: World, test: Dataset, scores: Scores, groups: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """How well the scores rank what is known of a world.

    By name: the rank correlation of groups' mean density with their shares, the area under the
    curve by which low density tells test faces of rare groups from others, and the rank
    correlation of groups' mean aleatoric risk with their rates of wrong labels.
    """
    found = {}
    group = test.attributes["group"]
    if "density" in scores and len(set(world.shares)) > 1:
        means = np.array([row["density"] for row in groups], float)
        found["density and share"] = float(ranking.spearman(means, np.array(world.shares)))
        faces = test.attributes["true"] == FACE
        rare = np.asarray(world.shares)[group] <= _RARE
        if (faces & rare).any() and (faces & ~rare).any():
            low = -scores["density"]
            found["rare by density"] = float(ranking.auroc(low[faces & rare], low[faces & ~rare]))
    if len(set(world.rates)) > 1:
        means = [scores["aleatoric"][group == g].mean() for g in range(len(world.names))]
        found["aleatoric and rate"] = float(
            ranking.spearman(np.array(means), np.array(world.rates))
        )
    return found


def _scores(risk: Risk) -> Scores:
    """What is known of the scores, float64 `[N]` each."""
    known = risk.known()
    return {name: np.asarray(known[name], np.float64) for name in SCORES if name in known}
