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
from icm_jax.systems.icm_images import Source
from icm_jax.systems.icm_steps import prune

PyTree = Any
_KINDS = ("original", "transformed", "restored")


class Found(NamedTuple):
    """What the experts made of N test images.

    Attributes:
      originals: float32 `[N, H, W, C]` in [0, 1], before the mechanisms; None where images were
        transformed already.
      transformed: likewise, what the experts saw.
      restored: likewise, the winners' outputs.
      scores: float32 `[N, E]`, logits of every expert's output.
      winner: int32 `[N]`, the expert whose output counts.
      classes: int32 `[N, 3]`, what the judge takes original, transformed and restored for; None
        where there is no judge.
    """

    originals: jax.Array | None
    transformed: jax.Array
    restored: jax.Array
    scores: jax.Array
    winner: jax.Array
    classes: jax.Array | None


def make_evaluate(
    model,
    classify: Callable[[PyTree, jax.Array], jax.Array] | None,
    source: Source,
    config: ConfigDict,
    by_score: bool = True,
) -> Callable[[int, PyTree, Mapping[str, PyTree], bool], Evaluation]:
    """The evaluation of an ICM state on the test images of a source.

    Its first argument is the seed of what is random in the mechanisms: all seeds share what is
    compiled.

    Args:
      model: `icm.Model` without a device axis.
      classify: `(classifier state, float images [B, H, W, C]) -> class [B]`; None for no judge.
      source: of the images and the mechanisms to apply to them.
      config: `config.evaluation.images` of the test images are used during training,
        `config.evaluation.last` at the end, where `config.experts.prune` drops idle experts.
      by_score: the best score wins; else expert i restores what mechanism i made.
    """
    count, bank = len(source.names), source.bank
    images, labels = source.test.images, source.test.labels
    sizes = config.evaluation.images, config.evaluation.last or len(images)

    @jax.jit
    def on_chunk(state: PyTree, judge: PyTree, images, mechanism, chunk_key) -> Found:
        transformed, originals = to_float(images), None
        if bank is not None:
            originals = transformed
            transformed = mechanisms.apply(bank, chunk_key, originals, mechanism)
        outputs, scores = score_all(model, state, transformed)
        winner = scores.argmax(axis=0) if by_score else mechanism
        restored = outputs[winner, jnp.arange(len(images))]
        classes = None
        if classify is not None:
            kinds = originals, transformed, restored
            classes = jnp.stack([classify(judge, x) for x in kinds], axis=1)
        return Found(originals, transformed, restored, scores.T, winner, classes)

    def evaluate(
        seed: int, state: PyTree, auxiliary: Mapping[str, PyTree], complete: bool
    ) -> Evaluation:
        key = jax.random.fold_in(jax.random.key(seed), 2**31 - 1)
        n = min(sizes[complete], len(images))
        whole, kept = state, np.arange(config.experts.count)
        if complete and config.experts.prune:
            state, kept = prune(state, config.experts.prune)
        mechanism = source.index[:n]

        def call(index):
            chunk_key = jax.random.fold_in(key, index[0])
            judge = auxiliary.get("classifier")
            return on_chunk(state, judge, images[index], mechanism[index], chunk_key)

        found = in_chunks(call, n)
        # Image i < M was transformed by mechanism i: one sample of each for the grid.
        outputs, _ = score_all(model, whole, jnp.asarray(found.transformed[:count]))
        # Experts keep their numbers, whichever are dropped.
        scores = np.full((n, config.experts.count), np.nan, np.float32)
        scores[:, kept] = found.scores
        found = found._replace(winner=kept[found.winner], scores=scores)
        evaluation = _summarize(source.names, mechanism, labels[:n], found, np.asarray(outputs))
        dropped = np.setdiff1d(np.arange(config.experts.count), kept).tolist()
        evaluation.summary["specialization"]["dropped"] = dropped
        return evaluation._replace(
            summary={**evaluation.summary, "image_shape": list(source.shape)}
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
    found: Found,
    sample_outputs: np.ndarray,
) -> Evaluation:
    count, experts = len(names), found.scores.shape[1]
    winner = found.winner
    wins = win_matrix(winner, mechanism, count, experts)
    solved = identified(wins)
    by_mechanism = functools.partial(group_mean, group=mechanism, groups=count)

    accuracy, decibels, known = None, None, {}
    if found.classes is not None:
        accuracy = _accuracy(names, mechanism, found.classes == labels[:, None])
        known |= {f"accuracy_{kind}": accuracy[kind] for kind in _KINDS}
    if found.originals is not None:
        decibels = by_mechanism(psnr(found.restored, found.originals))
        known["psnr"] = float(decibels.mean())
        decibels = dict(zip(names, decibels.tolist(), strict=True))
    probabilities = 1 / (1 + np.exp(-found.scores.astype(np.float64)))
    mean_scores = [by_mechanism(probabilities[:, e]) for e in range(experts)]
    return Evaluation(
        scalars={
            "identified": int(solved.sum()),
            "identified_mechanisms": solved.tolist(),
            **known,
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
            # None where no judge or no original can tell.
            "accuracy": accuracy,
            "psnr": decibels,
        },
        arrays={
            "wins": wins,
            "identified": solved,
            "inputs": found.transformed[:count],
            "outputs": sample_outputs,
            "winners": winner[:count],
        }
        | ({} if found.originals is None else {"originals": found.originals[:count]}),
    )


def _accuracy(names: Sequence[str], mechanism: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    """The accuracy by `_KINDS` and by mechanism; `correct` is bool `[N, 3]`."""
    _, before, after = (group_mean(right, mechanism, len(names)).tolist() for right in correct.T)
    return {
        **dict(zip(_KINDS, correct.mean(axis=0).tolist(), strict=True)),
        "per_mechanism": {
            name: {"transformed": t, "restored": r}
            for name, t, r in zip(names, before, after, strict=True)
        },
    }


def headline(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a summary by which runs are compared, those that there are."""
    specialization = summary["specialization"]
    count = specialization["identified"]
    accuracy, decibels = summary["accuracy"], summary["psnr"]
    found = {
        "all identified": count == len(specialization["mechanisms"]),
        "identified": count,
        "experts in use": len(specialization["wins"][0]) - len(specialization["idle"]),
    }
    if accuracy is not None:
        found |= {f"accuracy {kind}": accuracy[kind] for kind in _KINDS}
    if decibels is not None:
        found["PSNR"] = float(np.mean(list(decibels.values())))
    return found


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
            originals=arrays.get("originals"),
            order=competition_figures.expert_order(matching, len(arrays["outputs"])),
        ),
        "losses": competition_figures.losses(records),
    }
    if steps and accuracy is not None:
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
