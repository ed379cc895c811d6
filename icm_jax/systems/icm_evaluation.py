"""What an ICM run is judged by: specialization, accuracy and PSNR of restored test images."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import mechanisms
from icm_jax.chunks import in_chunks
from icm_jax.data import to_float
from icm_jax.evaluation.restoration import group_mean, psnr
from icm_jax.evaluation.specialization import identified, idle, match, win_matrix
from icm_jax.report import competition_figures, series
from icm_jax.system import Evaluation
from icm_jax.systems.icm_steps import prune

PyTree = Any


class Found(NamedTuple):
    """What the experts made of N test images.

    Attributes:
      originals: float32 `[N, H, W, C]` in [0, 1], before the mechanisms.
      transformed: likewise, what the experts saw.
      restored: likewise, the winners' outputs.
      scores: float32 `[N, E]`, logits of every expert's output.
      winner: int32 `[N]`, the expert whose output counts.
      classes: int32 `[N, 3]`, what the judge takes original, transformed and restored for.
    """

    originals: jax.Array
    transformed: jax.Array
    restored: jax.Array
    scores: jax.Array
    winner: jax.Array
    classes: jax.Array


def make_evaluate(
    model,
    classify: Callable[[PyTree, jax.Array], jax.Array],
    images: np.ndarray,
    labels: np.ndarray,
    bank: Sequence[mechanisms.Mechanism],
    names: Sequence[str],
    shape: Sequence[int],
    config: ConfigDict,
    by_score: bool = True,
) -> Callable[[int, PyTree, Mapping[str, PyTree], bool], Evaluation]:
    """The evaluation of an ICM state on test images, mechanism i mod M applied to image i.

    Its first argument is the seed of what is random in the mechanisms: all seeds share what is
    compiled.

    Args:
      model: `icm.Model` without a device axis.
      classify: `(classifier state, float images [B, H, W, C]) -> class [B]`.
      images: uint8 `[N, H, W, C]`, test images.
      labels: int32 `[N]`.
      bank: M mechanisms.
      names: M names of them.
      shape: `[H, W, C]` of the images before any padding, for the summary.
      config: `config.evaluation.images` of the test images are used during training,
        `config.evaluation.last` at the end, where `config.experts.prune` drops idle experts.
      by_score: the best score wins; else expert i restores what mechanism i made.
    """
    count = len(bank)
    sizes = config.evaluation.images, config.evaluation.last or len(images)

    @jax.jit
    def on_chunk(state: PyTree, judge: PyTree, images, mechanism, chunk_key) -> Found:
        originals = to_float(images)
        transformed = mechanisms.apply(bank, chunk_key, originals, mechanism)
        outputs, scores = score_all(model, state, transformed)
        winner = scores.argmax(axis=0) if by_score else mechanism
        restored = outputs[winner, jnp.arange(len(images))]
        classes = [classify(judge, x) for x in (originals, transformed, restored)]
        classes = jnp.stack(classes, axis=1)
        return Found(originals, transformed, restored, scores.T, winner, classes)

    def evaluate(
        seed: int, state: PyTree, auxiliary: Mapping[str, PyTree], complete: bool
    ) -> Evaluation:
        key = jax.random.fold_in(jax.random.key(seed), 2**31 - 1)
        n = min(sizes[complete], len(images))
        whole, kept = state, np.arange(config.experts.count)
        if complete and config.experts.prune:
            state, kept = prune(state, config.experts.prune)
        mechanism = np.arange(n) % count

        def call(index):
            chunk_key = jax.random.fold_in(key, index[0])
            judge = auxiliary["classifier"]
            return on_chunk(state, judge, images[index], mechanism[index], chunk_key)

        found = in_chunks(call, n)
        # Image i < M was transformed by mechanism i: one sample of each for the grid.
        outputs, _ = score_all(model, whole, jnp.asarray(found.transformed[:count]))
        # Experts keep their numbers, whichever are dropped.
        scores = np.full((n, config.experts.count), np.nan, np.float32)
        scores[:, kept] = found.scores
        found = found._replace(winner=kept[found.winner], scores=scores)
        evaluation = _summarize(names, mechanism, labels[:n], found, np.asarray(outputs))
        dropped = np.setdiff1d(np.arange(config.experts.count), kept).tolist()
        evaluation.summary["specialization"]["dropped"] = dropped
        return evaluation._replace(summary={**evaluation.summary, "image_shape": list(shape)})

    return evaluate


def score_all(model, state: PyTree, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Outputs `[E, B, H, W, C]` and scores (logits) `[E, B]` of all experts on `[B, H, W, C]`."""
    experts = state.experts
    outputs = jax.vmap(model.restore, (0, 0, None))(experts.params, experts.statistics, images)
    return outputs, model.logits(state.discriminator.params, outputs)


def _summarize(
    names: Sequence[str],
    mechanism: np.ndarray,
    labels: np.ndarray,
    found: Found,
    sample_outputs: np.ndarray,
) -> Evaluation:
    count, experts = len(names), found.scores.shape[1]
    winner = found.winner
    wins = win_matrix(winner, mechanism, count, experts)
    solved = identified(wins)
    by_mechanism = functools.partial(group_mean, group=mechanism, groups=count)

    correct = found.classes == labels[:, None]  # [N, 3]
    kinds = ("original", "transformed", "restored")
    accuracy = dict(zip(kinds, correct.mean(axis=0).tolist(), strict=True))
    _, before, after = (by_mechanism(correct[:, kind]).tolist() for kind in range(3))
    decibels = by_mechanism(psnr(found.restored, found.originals))
    probabilities = 1 / (1 + np.exp(-found.scores.astype(np.float64)))
    mean_scores = [by_mechanism(probabilities[:, e]) for e in range(experts)]
    return Evaluation(
        scalars={
            "identified": int(solved.sum()),
            "identified_mechanisms": solved.tolist(),
            **{f"accuracy_{kind}": value for kind, value in accuracy.items()},
            "psnr": float(decibels.mean()),
            "scores": np.stack(mean_scores, axis=1).tolist(),  # [M, E]
        },
        summary={
            "specialization": {
                "mechanisms": list(names),
                "wins": wins.tolist(),
                "identified": int(solved.sum()),
                "identified_mechanisms": solved.tolist(),
                "idle": np.flatnonzero(idle(wins)).tolist(),
            },
            "accuracy": {
                **accuracy,
                "per_mechanism": {
                    name: {"transformed": t, "restored": r}
                    for name, t, r in zip(names, before, after, strict=True)
                },
            },
            "psnr": dict(zip(names, decibels.tolist(), strict=True)),
        },
        arrays={
            "wins": wins,
            "identified": solved,
            "originals": found.originals[:count],
            "inputs": found.transformed[:count],
            "outputs": sample_outputs,
            "winners": winner[:count],
        },
    )


def headline(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a summary by which runs are compared."""
    specialization = summary["specialization"]
    count = specialization["identified"]
    kinds = ("original", "transformed", "restored")
    return {
        "all identified": count == len(specialization["mechanisms"]),
        "identified": count,
        "experts in use": len(specialization["wins"][0]) - len(specialization["idle"]),
        **{f"accuracy {kind}": summary["accuracy"][kind] for kind in kinds},
        "PSNR": float(np.mean(list(summary["psnr"].values()))),
    }


def draw_restoration(names: Sequence[str], evaluation: Evaluation, records: list[dict]) -> dict:
    """What the experts make of images: grid, accuracy against step, losses."""
    arrays, accuracy = evaluation.arrays, evaluation.summary["accuracy"]
    matching = match(arrays["wins"])
    steps, restored = series.evaluated(records, "accuracy_restored")
    drawn = {
        "experts": competition_figures.io_grid(
            arrays["inputs"],
            arrays["outputs"],
            arrays["winners"],
            names,
            originals=arrays["originals"],
            order=competition_figures.expert_order(matching, len(arrays["outputs"])),
        ),
        "losses": competition_figures.losses(records),
    }
    if steps:
        drawn["accuracy"] = competition_figures.accuracy_curve(
            steps, restored, accuracy["original"], accuracy["transformed"]
        )
    return drawn


def draw_figures(names: Sequence[str], evaluation: Evaluation, records: list[dict]) -> dict:
    """The run in pictures: as `draw_restoration`, and specialization and scores against step."""
    arrays = evaluation.arrays
    drawn = draw_restoration(names, evaluation, records)
    drawn["specialization"] = competition_figures.specialization(
        arrays["wins"], names, match(arrays["wins"]), arrays["identified"]
    )
    steps, scores = series.evaluated(records, "scores")
    if steps:
        drawn["scores"] = competition_figures.score_curves(
            np.asarray(steps), np.asarray(scores), names
        )
    return drawn
