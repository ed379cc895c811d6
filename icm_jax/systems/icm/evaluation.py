"""What the experts of an ICM state make of test images."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import mechanisms, streams
from icm_jax.chunks import in_chunks
from icm_jax.data import to_float
from icm_jax.streams import SeedStream
from icm_jax.system import Evaluation, PyTree
from icm_jax.systems.icm import summary as icm_summary
from icm_jax.systems.icm.images import Source
from icm_jax.systems.icm.judge import Judge
from icm_jax.systems.icm.steps import prune


class Found(NamedTuple):
    """What the experts made of N test images.

    Attributes:
      originals: float32 `[N, H, W, C]` in [0, 1], before the mechanisms; None where images were
        transformed already.
      transformed: likewise, what the experts saw.
      restored: likewise, the winners' outputs.
      scores: float32 `[N, E]`, logits of every expert's output.
      winner: int32 `[N]`, the expert whose output counts.
      passed: bool `[N, 3]`, whether the judge lets original (False where there is none),
        transformed and restored pass; None where there is no judge.
    """

    originals: jax.Array | None
    transformed: jax.Array
    restored: jax.Array
    scores: jax.Array
    winner: jax.Array
    passed: jax.Array | None


def make_evaluate(
    model,
    judge: Judge | None,
    source: Source,
    config: ConfigDict,
    by_score: bool = True,
) -> Callable[[int, PyTree, Mapping[str, PyTree], bool], Evaluation]:
    """The evaluation of an ICM state on the test images of a source.

    Its first argument is the seed of what is random in the mechanisms: all seeds share what is
    compiled.

    Args:
      model: `icm.Model` without a device axis.
      judge: of the images; its state is the auxiliary system 'classifier'.
      source: of the images and the mechanisms to apply to them.
      config: `config.evaluation.images` of the test images are used during training,
        `config.evaluation.last` at the end, where `config.experts.prune` drops idle experts.
      by_score: the best score wins; else expert i restores what mechanism i made.
    """
    count, bank = len(source.names), source.bank
    images, labels = source.test.images, source.test.labels
    sizes = config.evaluation.images, config.evaluation.last or len(images)
    untouched = icm_summary.untouched(config, *images.shape[1:3])

    @jax.jit
    def on_chunk(state: PyTree, judged: PyTree, images, labels, mechanism, chunk_key) -> Found:
        transformed, originals = to_float(images), None
        if bank is not None:
            originals = transformed
            transformed = mechanisms.apply(bank, chunk_key, originals, mechanism)
        outputs, scores = score_all(model, state, transformed)
        winner = scores.argmax(axis=0) if by_score else mechanism
        restored = outputs[winner, jnp.arange(len(images))]
        passed = None
        if judge is not None:
            kinds = originals, transformed, restored
            nobody = jnp.zeros(len(images), bool)
            passed = [nobody if x is None else judge.passes(judged, x, labels) for x in kinds]
            passed = jnp.stack(passed, axis=1)
        return Found(originals, transformed, restored, scores.T, winner, passed)

    # Compiled as one: piece by piece, its first call compiles some fifty little programs.
    on_samples = jax.jit(functools.partial(score_all, model))

    @jax.jit
    def on_canonical(judged: PyTree, images) -> jax.Array:
        return judge.passes(judged, to_float(images), jnp.zeros(len(images), jnp.int32))

    def canonical_share(found: Found, judged: PyTree) -> float:
        """The fraction of canonical images that pass."""
        if bank is not None:
            return float(found.passed[:, 0].mean())
        known = source.canonical
        passed = in_chunks(lambda index: on_canonical(judged, known[index]), len(known))
        return float(passed.mean())

    def evaluate(
        seed: int, state: PyTree, auxiliary: Mapping[str, PyTree], complete: bool
    ) -> Evaluation:
        key = streams.of_seed(seed, SeedStream.EVALUATION)
        n = min(sizes[complete], len(images))
        whole, used = state, np.arange(config.experts.count)
        if complete and config.experts.prune:
            state, used = prune(state, config.experts.prune)
        judged = auxiliary.get("classifier")

        def call(index):
            chunk_key = jax.random.fold_in(key, index[0])
            return on_chunk(
                state, judged, images[index], labels[index], source.index[index], chunk_key
            )

        found = in_chunks(call, n)
        # Image i < M was transformed by mechanism i: one sample of each for the grid.
        outputs, _ = on_samples(whole, jnp.asarray(found.transformed[:count]))
        # Experts keep their numbers, whichever are dropped.
        scores = np.full((n, config.experts.count), np.nan, np.float32)
        scores[:, used] = found.scores
        found = found._replace(winner=used[found.winner], scores=scores)
        named = source.names, source.index[:n]
        passing = {}
        if judge is not None:
            canonical = canonical_share(found, judged)
            passing[judge.name] = icm_summary.judged(*named, found.passed, judge.kinds, canonical)
        evaluation = icm_summary.summarize(*named, found, np.asarray(outputs), passing)
        specialization = evaluation.summary["specialization"]
        specialization["dropped"] = np.setdiff1d(np.arange(config.experts.count), used).tolist()
        if not by_score:
            specialization["found"] = None  # who is told a mechanism has not found it
        kept = icm_summary.kept(*named, found, untouched)
        more = {"image_shape": list(source.shape), "kept": kept}
        scalars = evaluation.scalars | icm_summary.likeness(kept)
        return evaluation._replace(scalars=scalars, summary=evaluation.summary | more)

    return evaluate


def score_all(model, state: PyTree, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Outputs `[E, B, H, W, C]` and scores (logits) `[E, B]` of all experts on `[B, H, W, C]`."""
    experts = state.experts
    outputs = jax.vmap(model.restore, (0, 0, None))(experts.params, experts.statistics, images)
    return outputs, model.logits(state.discriminator.params, outputs)
