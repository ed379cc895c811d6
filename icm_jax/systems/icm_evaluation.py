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
from icm_jax.evaluation.specialization import identified, match, win_matrix
from icm_jax.report import competition_figures, series
from icm_jax.system import Evaluation

PyTree = Any


class Found(NamedTuple):
    """What the experts made of N test images.

    Attributes:
      originals: float32 `[N, H, W, C]` in [0, 1], before the mechanisms.
      transformed: likewise, what the experts saw.
      restored: likewise, the winners' outputs.
      scores: float32 `[N, E]`, logits of every expert's output.
      classes: int32 `[N, 3]`, what the judge takes original, transformed and restored for.
    """

    originals: jax.Array
    transformed: jax.Array
    restored: jax.Array
    scores: jax.Array
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
      config: `config.evaluation.images` of the test images are used during training, all at the
        end.
    """
    count = len(bank)

    @jax.jit
    def on_chunk(state: PyTree, judge: PyTree, images, mechanism, chunk_key) -> Found:
        originals = to_float(images)
        transformed = mechanisms.apply(bank, chunk_key, originals, mechanism)
        outputs, scores = score_all(model, state, transformed)
        restored = outputs[scores.argmax(axis=0), jnp.arange(len(images))]
        classes = [classify(judge, x) for x in (originals, transformed, restored)]
        return Found(originals, transformed, restored, scores.T, jnp.stack(classes, axis=1))

    def evaluate(
        seed: int, state: PyTree, auxiliary: Mapping[str, PyTree], complete: bool
    ) -> Evaluation:
        key = jax.random.fold_in(jax.random.key(seed), 2**31 - 1)
        n = len(images) if complete else min(config.evaluation.images, len(images))
        mechanism = np.arange(n) % count

        def call(index):
            chunk_key = jax.random.fold_in(key, index[0])
            judge = auxiliary["classifier"]
            return on_chunk(state, judge, images[index], mechanism[index], chunk_key)

        found = in_chunks(call, n)
        # Image i < M was transformed by mechanism i: one sample of each for the grid.
        outputs, _ = score_all(model, state, jnp.asarray(found.transformed[:count]))
        evaluation = _summarize(names, mechanism, labels[:n], found, np.asarray(outputs))
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
    winner = found.scores.argmax(axis=1)
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
            **{f"accuracy_{kind}": value for kind, value in accuracy.items()},
            "psnr": float(decibels.mean()),
            "scores": np.stack(mean_scores, axis=1).tolist(),  # [M, E]
        },
        summary={
            "specialization": {
                "mechanisms": list(names),
                "wins": wins.tolist(),
                "identified": int(solved.sum()),
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
        **{f"accuracy {kind}": summary["accuracy"][kind] for kind in kinds},
        "PSNR": float(np.mean(list(summary["psnr"].values()))),
    }


def draw_figures(names: Sequence[str], evaluation: Evaluation, records: list[dict]) -> dict:
    """The run in pictures: grid, specialization, scores and accuracy against step, losses."""
    arrays, accuracy = evaluation.arrays, evaluation.summary["accuracy"]
    matching = match(arrays["wins"])
    steps, restored = series.evaluated(records, "accuracy_restored")
    _, scores = series.evaluated(records, "scores")
    drawn = {
        "experts": competition_figures.io_grid(
            arrays["inputs"],
            arrays["outputs"],
            arrays["winners"],
            names,
            originals=arrays["originals"],
            order=competition_figures.expert_order(matching, len(arrays["outputs"])),
        ),
        "specialization": competition_figures.specialization(
            arrays["wins"], names, matching, arrays["identified"]
        ),
        "losses": competition_figures.losses(records),
    }
    if steps:
        drawn["accuracy"] = competition_figures.accuracy_curve(
            steps, restored, accuracy["original"], accuracy["transformed"]
        )
        drawn["scores"] = competition_figures.score_curves(
            np.asarray(steps), np.asarray(scores), names
        )
    return drawn
