"""What an ICM run is judged by: specialization, accuracy and PSNR of restored test images."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import mechanisms
from icm_jax.data import to_float
from icm_jax.evaluation.restoration import group_mean, psnr
from icm_jax.evaluation.specialization import identified, match, win_matrix
from icm_jax.report import competition_figures, series
from icm_jax.system import Evaluation

PyTree = Any
_CHUNK = 40  # images an evaluation call: larger ones wait for memory


def make_evaluate(
    model,
    classify: Callable[[PyTree, jax.Array], jax.Array],
    images: np.ndarray,
    labels: np.ndarray,
    bank: Sequence[mechanisms.Mechanism],
    names: Sequence[str],
    config: ConfigDict,
) -> Callable[[PyTree, Mapping[str, PyTree], bool], Evaluation]:
    """The evaluation of an ICM state on test images, mechanism i mod M applied to image i.

    Args:
      model: `icm.Model` without a device axis.
      classify: `(classifier state, float images [B, H, W, C]) -> class [B]`.
      images: uint8 `[N, H, W, C]`, test images.
      labels: int32 `[N]`.
      bank: M mechanisms.
      names: M names of them.
      config: `config.evaluation.images` of the test images are used during training, all at the
        end; `config.seed` fixes what is random in the mechanisms.
    """
    count = len(bank)
    key = jax.random.fold_in(jax.random.key(config.seed), 2**31 - 1)

    @jax.jit
    def on_chunk(state, judge, originals, mechanism, chunk_key):
        originals = to_float(originals)
        transformed = mechanisms.apply(bank, chunk_key, originals, mechanism)
        outputs, scores = score_all(model, state, transformed)
        winner = scores.argmax(axis=0)
        restored = outputs[winner, jnp.arange(len(winner))]
        classes = [classify(judge, x) for x in (originals, transformed, restored)]
        return transformed, restored, winner, scores, jnp.stack(classes)

    def evaluate(state: PyTree, auxiliary: Mapping[str, PyTree], complete: bool) -> Evaluation:
        n = len(images) if complete else min(config.evaluation.images, len(images))
        mechanism = np.arange(n) % count
        chunks = []
        for i in range(0, n, _CHUNK):
            # The last chunk is filled up with repeated images, so that one shape is compiled.
            index = np.minimum(np.arange(i, i + _CHUNK), n - 1)
            found = on_chunk(
                state,
                auxiliary["classifier"],
                images[index],
                mechanism[index],
                jax.random.fold_in(key, i),
            )
            chunks.append(jax.device_get(found))
        transformed, restored, winner, scores, classes = zip(*chunks, strict=True)
        return _summarize(
            names,
            mechanism,
            labels[:n],
            np.asarray(images[:n], np.float32) / 255,
            np.concatenate(transformed)[:n],
            np.concatenate(restored)[:n],
            np.concatenate(winner)[:n],
            np.concatenate(scores, axis=1)[:, :n],
            np.concatenate(classes, axis=1)[:, :n],
            functools.partial(score_all, model, state),
        )

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
    originals: np.ndarray,
    transformed: np.ndarray,
    restored: np.ndarray,
    winner: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray,
    score_samples: Callable,
) -> Evaluation:
    count, experts = len(names), len(scores)
    wins = win_matrix(winner, mechanism, count, experts)
    correct = classes == labels[None]  # [3, N]: original, transformed, restored
    accuracy = dict(
        zip(("original", "transformed", "restored"), correct.mean(axis=1).tolist(), strict=True)
    )
    by_mechanism = functools.partial(group_mean, group=mechanism, groups=count)
    found = identified(wins)
    decibels = by_mechanism(psnr(restored, originals))
    probabilities = 1 / (1 + np.exp(-scores.astype(np.float64)))
    mean_scores = np.stack([by_mechanism(s) for s in probabilities], axis=1)  # [M, E]
    samples = transformed[:count]  # image i < M was transformed by mechanism i
    outputs, sample_scores = jax.device_get(score_samples(jnp.asarray(samples)))
    return Evaluation(
        scalars={
            "identified": int(found.sum()),
            **{f"accuracy_{name}": value for name, value in accuracy.items()},
            "psnr": float(np.mean(decibels)),
            "scores": mean_scores.tolist(),
        },
        summary={
            "specialization": {
                "mechanisms": list(names),
                "wins": wins.tolist(),
                "identified": int(found.sum()),
            },
            "accuracy": {
                **accuracy,
                "per_mechanism": {
                    name: {"transformed": float(before), "restored": float(after)}
                    for name, before, after in zip(
                        names, by_mechanism(correct[1]), by_mechanism(correct[2]), strict=True
                    )
                },
            },
            "psnr": dict(zip(names, decibels.tolist(), strict=True)),
        },
        arrays={
            "wins": wins,
            "identified": found,
            "originals": originals[:count],
            "inputs": samples,
            "outputs": outputs,
            "winners": sample_scores.argmax(axis=0),
        },
    )


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
