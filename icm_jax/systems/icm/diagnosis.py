"""What happened to an image: whose mechanism it shows, how sure that is, and whether it is any's.

Experts compete for an image by the discriminator's logits of their outputs. The image as it is may
compete too, by its own logit: of one that no mechanism changed it is left alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import numpy as np
from scipy.special import expit

from icm_jax.systems.icm.specialization import idle

LEFT = -1  # the expert of images that are left as they are
UNTOUCHED = "none"  # the mechanism of those
UNKNOWN = "unknown"  # the mechanism of an expert that hardly wins anything


class Scored(NamedTuple):
    """What all experts make of B images, and the discriminator's logits.

    Attributes:
      outputs: float32 `[E, B, H, W, C]` in [0, 1].
      logits: float32 `[E, B]`, of the outputs.
      own: float32 `[B]`, of the images as they are.
    """

    outputs: np.ndarray
    logits: np.ndarray
    own: np.ndarray


class Diagnosis(NamedTuple):
    """What a trained model says of N images.

    Attributes:
      images: float32 `[N, H, W, C]` in [0, 1]: what the winner made, or the image where it was
        left.
      expert: int32 `[N]`, the winner's number; `LEFT` where the image is left as it is.
      score: float32 `[N]`, the probability that the discriminator gives `images` of being
        canonical. Where it is low no mechanism that the experts know made the image.
      mechanism: text `[N]`, what that expert undoes, see `name_experts`; 'none' where it was left.
      confidence: float32 `[N]` in [0.5, 1], how sure the mechanism is, see `confidence`.
      untouched: float32 `[N]`, the probability of the image as it is of being canonical.
    """

    images: np.ndarray
    expert: np.ndarray
    score: np.ndarray
    mechanism: np.ndarray
    confidence: np.ndarray
    untouched: np.ndarray


def name_experts(wins: np.ndarray, mechanisms: Sequence[str]) -> tuple[str, ...]:
    """The mechanism of which each of E experts wins the most, by evaluation.

    Args:
      wins: float `[M, E]`, see `specialization.win_matrix`.
      mechanisms: M names.

    Returns:
      E names; 'unknown' for experts that are idle.

    Raises:
      AssertionError: names and wins are of different numbers.
    """
    wins = np.asarray(wins)
    chex.assert_shape(wins, (len(mechanisms), None))
    best = wins.argmax(axis=0)
    return tuple(
        UNKNOWN if unused else mechanisms[m] for m, unused in zip(best, idle(wins), strict=True)
    )


def margins(logits: np.ndarray, kinds: Sequence[str]) -> np.ndarray:
    """By how much the best candidate is ahead of the best one of another kind.

    Experts that undo the same mechanism do not make each other less sure.

    Args:
      logits: float `[K, N]`, of K candidates.
      kinds: K names, of the mechanisms that candidates stand for.

    Returns:
      float `[N]`, at least 0; infinite where there is one kind alone.

    Raises:
      AssertionError: names and logits are of different numbers.
    """
    logits = np.asarray(logits)
    chex.assert_shape(logits, (len(kinds), None))
    of = np.unique(np.asarray(kinds), return_inverse=True)[1]  # [K]
    best = np.full((of.max() + 1, logits.shape[1]), -np.inf, logits.dtype)
    np.maximum.at(best, of, logits)
    if len(best) == 1:
        return np.full(logits.shape[1], np.inf, logits.dtype)
    second, first = np.sort(best, axis=0)[-2:]
    return first - second


def confidence(margin: np.ndarray) -> np.ndarray:
    """The probability of a margin of logits, 1 / (1 + exp(-margin)): in [0.5, 1] from 0 on.

    Bradley and Terry 1952: the chance that the first wins against the second, whose strengths are
    the exponentials of the logits. Nothing is fitted; how well it is calibrated is measured.
    """
    return expit(margin)


def lead_of(scored: Scored, share: float) -> float:
    """By how much experts must be ahead so that a `share` of images is left as it is.

    The share's quantile of what the best expert is ahead by, at least 0.

    Args:
      scored: of canonical images.
      share: from 0 to 1.
    """
    ahead = np.asarray(scored.logits).max(axis=0) - np.asarray(scored.own)
    return max(float(np.quantile(ahead, share, method="higher")), 0.0)


def diagnose(
    scored: Scored,
    images: np.ndarray,
    kinds: Sequence[str],
    numbers: np.ndarray,
    leave: bool = True,
    lead: float = 0.0,
) -> Diagnosis:
    """Restores each image, or leaves it, and says why.

    Args:
      scored: of the images.
      images: float32 `[B, H, W, C]` in [0, 1].
      kinds: E names, see `name_experts`.
      numbers: int32 `[E]`, what each expert is called.
      leave: whether the image as it is competes; of equal logits the experts win.
      lead: by how much an expert's logit must be above that of the image as it is.

    Raises:
      AssertionError: images, outputs, logits, names and numbers are of different numbers.
    """
    chex.assert_shape(scored.outputs, (len(kinds), *images.shape))
    chex.assert_shape([scored.logits, np.asarray(numbers)[:, None]], (len(kinds), None))
    logits, own = np.asarray(scored.logits), np.asarray(scored.own)
    candidates, names = logits, tuple(kinds)
    if leave:
        candidates, names = (
            np.concatenate([logits, own[None] + np.float32(lead)]),
            (*names, UNTOUCHED),
        )
    winner = candidates.argmax(axis=0)  # [B]
    left = winner == len(logits)
    expert = np.minimum(winner, len(logits) - 1)
    outputs = np.asarray(scored.outputs)[expert, np.arange(len(images))]
    return Diagnosis(
        images=np.where(left[:, None, None, None], images, outputs),
        expert=np.where(left, LEFT, np.asarray(numbers)[expert]).astype(np.int32),
        score=expit(np.where(left, own, logits.max(axis=0))),
        mechanism=np.array(names)[winner],
        confidence=confidence(margins(candidates, names)),
        untouched=expit(own),
    )
