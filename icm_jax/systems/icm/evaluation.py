"""What the experts of an ICM state make of test images."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import mechanisms, streams
from icm_jax.chunks import in_chunks
from icm_jax.data import to_float
from icm_jax.streams import SeedStream
from icm_jax.system import Evaluation, PyTree
from icm_jax.systems.icm.diagnosis import Scored
from icm_jax.systems.icm.images import Images
from icm_jax.systems.icm.judge import Judge
from icm_jax.systems.icm.model import Model
from icm_jax.systems.icm.state import State, prune
from icm_jax.systems.icm.summary import (
    find_untouched,
    mean_ssim,
    measure_kept,
    summarize,
    summarize_passed,
)


class EvaluatedImages(NamedTuple):
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


class Evaluator:
    """Evaluates ICM states on the test images of a task; all seeds share what it compiles."""

    def __init__(
        self,
        model: Model,
        judge: Judge | None,
        images: Images,
        config: ConfigDict,
        by_score: bool = True,
    ):
        """Compiles nothing yet.

        Args:
          model: without a device axis.
          judge: of the images; its state is the auxiliary system 'classifier'.
          images: of the images and the mechanisms to apply to them.
          config: `config.evaluation.images` of the test images are used during training,
            `config.evaluation.last` at the end, where `config.experts.prune` drops idle experts.
          by_score: the best score wins; else expert i restores what mechanism i made.
        """
        self._model, self._judge, self._images = model, judge, images
        self._config, self._by_score = config, by_score
        self._untouched = find_untouched(config, *images.test.images.shape[1:3])
        # Compiled as one: piece by piece its first call compiles some fifty small programs.
        self._score = jax.jit(functools.partial(score_all, model))
        self._restore = jax.jit(self._restore_chunk)
        self._pass_canonical = jax.jit(self._pass_canonical_chunk)

    def __call__(
        self, seed: int, state: State, auxiliary: Mapping[str, PyTree], complete: bool
    ) -> Evaluation:
        """As `System.evaluate`, but for the seed of what is random in the mechanisms."""
        judged = auxiliary.get("classifier")
        found, used = self._found(seed, state, judged, complete)
        names, mechanism = self._images.names, self._images.index[: len(found.winner)]
        # Image i < M was transformed by mechanism i: one sample of each for the grid.
        outputs, _ = self._score(state, jnp.asarray(found.transformed[: len(names)]))
        passing = {}
        if self._judge is not None:
            canonical = self._canonical_share(found, judged)
            shares = summarize_passed(names, mechanism, found.passed, self._judge.kinds, canonical)
            passing[self._judge.name] = shares
        evaluation = summarize(names, mechanism, found, np.asarray(outputs), passing)
        specialization = evaluation.summary["specialization"]
        specialization["dropped"] = np.setdiff1d(np.arange(len(outputs)), used).tolist()
        if not self._by_score:
            specialization["found"] = None  # who is told a mechanism has not found it
        kept = measure_kept(names, mechanism, found, self._untouched)
        more = {
            "image_shape": list(self._images.shape),
            "judge": None if self._judge is None else {"classes": self._judge.classes},
            "kept": kept,
        }
        scalars = evaluation.scalars | mean_ssim(kept)
        return evaluation._replace(scalars=scalars, summary=evaluation.summary | more)

    def _found(
        self, seed: int, state: State, judged: PyTree, complete: bool
    ) -> tuple[EvaluatedImages, np.ndarray]:
        """What the experts made, and the numbers of those that were not dropped, int `[K]`."""
        settings, experts = self._config.evaluation, self._config.experts
        images, labels, index = *self._images.test[:2], self._images.index
        used = np.arange(experts.count)
        if complete and experts.prune:
            state, used = prune(state, experts.prune)
        key = streams.of_seed(seed, SeedStream.EVALUATION)

        def restore(i):
            chunk_key = jax.random.fold_in(key, i[0])
            return self._restore(state, judged, images[i], labels[i], index[i], chunk_key)

        most = (settings.last or len(images)) if complete else settings.images
        found = in_chunks(restore, min(most, len(images)))
        # Experts keep their numbers, whichever are dropped.
        scores = np.full((len(found.scores), experts.count), np.nan, np.float32)
        scores[:, used] = found.scores
        return found._replace(winner=used[found.winner], scores=scores), used

    def _restore_chunk(
        self,
        state: State,
        judged: PyTree,
        images: jax.Array,
        labels: jax.Array,
        mechanism: jax.Array,
        key: jax.Array,
    ) -> EvaluatedImages:
        transformed, originals = to_float(images), None
        if self._images.bank is not None:
            originals = transformed
            transformed = mechanisms.apply(self._images.bank, key, originals, mechanism)
        outputs, scores = score_all(self._model, state, transformed)
        winner = scores.argmax(axis=0) if self._by_score else mechanism
        restored = outputs[winner, jnp.arange(len(images))]
        passed = None
        if self._judge is not None:
            nobody = jnp.zeros(len(images), bool)
            passed = [
                nobody if kind is None else self._judge.passes(judged, kind, labels)
                for kind in (originals, transformed, restored)
            ]
            passed = jnp.stack(passed, axis=1)
        return EvaluatedImages(originals, transformed, restored, scores.T, winner, passed)

    def _pass_canonical_chunk(self, judged: PyTree, images: jax.Array) -> jax.Array:
        return self._judge.passes(judged, to_float(images), jnp.zeros(len(images), jnp.int32))

    def _canonical_share(self, found: EvaluatedImages, judged: PyTree) -> float:
        """The fraction of canonical images that pass."""
        if self._images.bank is not None:
            return float(found.passed[:, 0].mean())
        known = self._images.canonical
        passed = in_chunks(lambda i: self._pass_canonical(judged, known[i]), len(known))
        return float(passed.mean())


def score_all(model: Model, state: State, images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Lets all experts restore all images, and the discriminator score what they make.

    Args:
      model: without a device axis.
      state: of E experts.
      images: float32 `[B, H, W, C]` in [0, 1].

    Returns:
      Outputs, float32 `[E, B, H, W, C]`, and scores (logits), float32 `[E, B]`.
    """
    chex.assert_rank(images, 4)
    outputs = model.restore_all(*state.experts.evaluated, images, apart=model.on_cpu)
    return outputs, model.logits(state.discriminator.params, outputs)


@functools.partial(jax.jit, static_argnums=0)
def score(model: Model, state: State, images: jax.Array) -> Scored:
    """What all experts make of images, and the logits of that and of the images as they are.

    Args:
      model: the networks.
      state: of E experts.
      images: float32 `[B, H, W, C]` in [0, 1], padded if need be.
    """
    chex.assert_rank(images, 4)
    # Plain convolutions, fast on every platform it is exported to.
    outputs = model.restore_all(*state.experts.evaluated, images, apart=True)
    logits = functools.partial(model.logits, state.discriminator.params)
    return Scored(outputs, logits(outputs), logits(images))
