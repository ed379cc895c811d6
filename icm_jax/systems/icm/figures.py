"""An ICM run in pictures: those of a whole run first, then each by itself.

After Parascandolo et al. 2018, Learning Independent Causal Mechanisms, arXiv 1712.00961.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import chex
import numpy as np
from matplotlib.figure import Figure

from icm_jax.report import lines, series, style
from icm_jax.report.figures import image_grid, matrix
from icm_jax.system import Evaluation
from icm_jax.systems.icm.specialization import match
from icm_jax.systems.icm.summary import overall

_JUDGED = {
    "accuracy": "Accuracy of a classifier on restored images",
    "called_canonical": "Restored images that a classifier calls canonical",
}


def draw_restoration(names: Sequence[str], evaluation: Evaluation, records: list[dict]) -> dict:
    """What the experts make of images: grid, accuracy against step, losses."""
    arrays = evaluation.arrays
    matching = match(arrays["wins"])
    drawn = {
        "experts": draw_grid(
            arrays["inputs"],
            arrays["outputs"],
            arrays["winners"],
            names,
            originals=arrays.get("originals"),
            order=order_experts(matching, len(arrays["outputs"])),
        ),
        "losses": draw_losses(records),
    }
    for name, title in _JUDGED.items():
        steps, restored = series.evaluated(records, f"{name}_restored")
        if steps:
            bounds = overall(evaluation.summary[name])
            del bounds["restored"]
            drawn[name] = draw_judged(steps, restored, bounds, title)
            kept = series.evaluated(records, "kept_ssim")
            # Where nobody knows what has to change, all of an image should be kept.
            if "originals" not in arrays and kept[0] == steps:
                drawn["trade_off"] = draw_trade_off(steps, kept[1], restored, bounds)
    return drawn


def draw_figures(names: Sequence[str], evaluation: Evaluation, records: list[dict]) -> dict:
    """The run in pictures: as `draw_restoration`, and specialization and scores against step."""
    arrays = evaluation.arrays
    drawn = draw_restoration(names, evaluation, records)
    drawn["specialization"] = draw_wins(
        arrays["wins"], names, match(arrays["wins"]), arrays["identified"]
    )
    steps, scores = series.evaluated(records, "scores")
    if steps:
        drawn["scores"] = draw_scores(np.asarray(steps), np.asarray(scores), names)
    return drawn


def order_experts(matching: np.ndarray, experts: int) -> np.ndarray:
    """Orders experts as the mechanisms they are matched with, so that a good matrix is diagonal.

    Args:
      matching: int `[M]`, the expert of each mechanism, -1 for none.
      experts: E.

    Returns:
      int64 `[E]`, a permutation: the matched experts, then the others.
    """
    matched = [int(expert) for expert in matching if expert >= 0]
    others = [expert for expert in range(experts) if expert not in matched]
    return np.array(matched + others, np.int64)


def draw_grid(
    inputs: np.ndarray,
    outputs: np.ndarray,
    winners: np.ndarray,
    mechanisms: Sequence[str],
    originals: np.ndarray | None = None,
    order: np.ndarray | None = None,
) -> Figure:
    """Draws inputs above what every expert makes of them, the winner framed (figure 1).

    Args:
      inputs: float `[M, H, W, C]` in `[0, 1]`, one image of each mechanism.
      outputs: float `[E, M, H, W, C]` in `[0, 1]`.
      winners: int `[M]`, the expert that won each input.
      mechanisms: M names.
      originals: float `[M, H, W, C]` in `[0, 1]`, drawn as the first row where given.
      order: int `[E]`, a permutation: the experts from top to bottom; as numbered by default.

    Returns:
      A figure with one axes.

    Raises:
      AssertionError: a shape is another one.
    """
    inputs, outputs = np.asarray(inputs), np.asarray(outputs)
    experts = len(outputs)
    order = np.arange(experts) if order is None else np.asarray(order)
    chex.assert_shape(outputs, (experts, *inputs.shape))
    chex.assert_shape(winners, (len(inputs),))
    chex.assert_shape(order, (experts,))
    above = {"input": inputs} if originals is None else {"original": originals, "input": inputs}
    framed = np.zeros((len(above) + experts, len(inputs)), bool)
    framed[len(above) :] = order[:, None] == np.asarray(winners)[None]
    return image_grid(
        np.concatenate([np.stack(list(above.values())), outputs[order]]),
        [*above, *(f"expert {expert}" for expert in order)],
        mechanisms,
        "What each expert makes of each mechanism (framed: the winner)",
        framed,
    )


def draw_wins(
    wins: np.ndarray, mechanisms: Sequence[str], matching: np.ndarray, identified: np.ndarray
) -> Figure:
    """Draws the fraction of each mechanism's images that each expert wins.

    Args:
      wins: float `[M, E]` in `[0, 1]`.
      mechanisms: M names.
      matching: int `[M]`, the expert of each mechanism, -1 for none; it orders the columns.
      identified: bool `[M]`, the mechanisms to mark: a tick at the name, a frame at the number.

    Returns:
      A figure with one axes.

    Raises:
      AssertionError: a shape is another one.
    """
    wins, identified = np.asarray(wins), np.asarray(identified)
    chex.assert_rank(wins, 2)
    chex.assert_shape([matching, identified], (len(wins),))
    order = order_experts(matching, wins.shape[1])
    ordered = wins[:, order]
    return matrix(
        ordered,
        [
            f"{name} ✓" if found else name
            for name, found in zip(mechanisms, identified, strict=True)
        ],
        [str(expert) for expert in order],
        f"Images won: {identified.sum()} of {len(wins)} mechanisms identified",
        column_title="expert",
        framed=identified[:, None] & (ordered == ordered.max(axis=1, keepdims=True)),
    )


def draw_scores(steps: np.ndarray, scores: np.ndarray, mechanisms: Sequence[str]) -> Figure:
    """Draws every expert's score on every mechanism along training (figure 2).

    The expert that scores best at the end is drawn strongly and named above its chart.

    Args:
      steps: int `[T]`.
      scores: float `[T, M, E]`, mean score; nan where there was none.
      mechanisms: M names.

    Returns:
      A figure with one axes for each mechanism.

    Raises:
      AssertionError: a shape is another one.
    """
    scores = np.asarray(scores, float)
    chex.assert_shape(scores, (len(steps), len(mechanisms), None))
    charts, bold = {}, {}
    for index, name in enumerate(mechanisms):
        mine = scores[:, index]
        labels = [f"expert {expert}" for expert in range(mine.shape[1])]
        last = mine[-1] if len(mine) else np.array([])
        best = labels[np.nanargmax(last)] if np.isfinite(last).any() else None
        title = f"{name} → {best}" if best else name
        charts[title] = {label: (steps, mine[:, i]) for i, label in enumerate(labels)}
        if best:
            bold[title] = best
    return lines.panels(
        charts, "Scores of each mechanism's images", "score", share_y=True, bold=bold
    )


def draw_judged(
    steps: Sequence[int], restored: Sequence[float], bounds: Mapping[str, float], title: str
) -> Figure:
    """Draws the fraction of restored images that a judge lets pass between bounds (figure 4).

    Args:
      steps: int `[T]`.
      restored: float `[T]` in `[0, 1]`.
      bounds: name -> the fraction in `[0, 1]` of other images, such as original and transformed.
      title: what the judge says, above the figure.

    Returns:
      A figure with one axes.
    """
    return lines.curves({"restored": (steps, restored)}, title, "fraction of images", bounds)


def draw_trade_off(
    steps: Sequence[int],
    kept: Sequence[float],
    deceived: Sequence[float],
    bounds: Mapping[str, float],
) -> Figure:
    """Draws what deceiving a judge costs: a point for each evaluation, its colour the step.

    Args:
      steps: int `[T]`.
      kept: float `[T]`, mean SSIM of restored images to what the experts saw.
      deceived: float `[T]` in `[0, 1]`, the fraction of restored images that the judge lets pass.
      bounds: as `draw_judged` takes them.

    Returns:
      A figure with an axes and a bar of colours.
    """
    title = "Deceiving the classifier against keeping the image"
    drawn = lines.curves({}, title, "fraction deceived", bounds, "SSIM to what the expert saw")
    axes = drawn.axes[0]
    axes.plot(kept, deceived, color=style.GREY, linewidth=0.5)
    points = axes.scatter(kept, deceived, c=steps, cmap="viridis", zorder=3)
    drawn.colorbar(points, ax=axes, label="step")
    return drawn


def draw_losses(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Draws every metric of every phase, one line for each expert where it has one.

    Args:
      records: dicts as they stand in `metrics.jsonl`.

    Returns:
      A figure with one axes for each phase and metric.
    """
    return lines.panels(series.charts(records, entry="expert"), "Training", log_y=True)
