"""The streams of randomness of a run, by name: what keeps them apart stands in one place.

`jax.random.fold_in(key, i)` is the same key as `jax.random.split(key, n)[i]`. A number that is
folded into a key which is split too, or which counts something, must therefore be above all that
are split or counted: those below, but for `TRAINING`, are at least `LEAST_APART`.
"""

import enum

import jax
import numpy as np

LEAST_APART = 2**30  # no key is split into as many, and nothing counted comes so far


@enum.unique
class SeedStream(enum.IntEnum):
    """What is folded into the key of a seed.

    Attributes:
      TRAINING: the initial state; 1 + i for the steps of phase i.
      DIAGNOSIS: the mechanisms that diagnosis is examined with.
      ROBUSTNESS: the mechanisms that robustness is examined with.
      COUNTERFACTUALS: those that are numbered, of all seeds alike.
      COMPOSITION: the mechanisms that compositions are examined with.
      TRANSFER: the mechanisms that transfer is examined with.
      EVALUATION: the mechanisms of evaluations.
    """

    TRAINING = 0
    DIAGNOSIS = 2**31 - 6
    ROBUSTNESS = 2**31 - 5
    COUNTERFACTUALS = 2**31 - 4
    COMPOSITION = 2**31 - 3
    TRANSFER = 2**31 - 2
    EVALUATION = 2**31 - 1


class PhaseStream(enum.IntEnum):
    """What is folded into the key of a phase, whose steps count from 0.

    Attributes:
      BEGINNING: what happens before the first step.
    """

    BEGINNING = 2**32 - 1


class StepStream(enum.IntEnum):
    """What is folded into the key of a step, which the step splits too.

    Attributes:
      NEW_EXPERTS: how experts that joined a finished bank are restarted.
      LOSERS: which of the losers' outputs the discriminator learns from.
      EXPERTS: what experts draw.
    """

    NEW_EXPERTS = 2**31 - 3
    LOSERS = 2**31 - 2
    EXPERTS = 2**31 - 1


class HostStream(enum.IntEnum):
    """What NumPy's generators of a seed are told apart by.

    Attributes:
      HELD_OUT: which training images are held out.
      TRAIN_COLORS: colours and textures of biased images to train on.
      TEST_COLORS: the same of images to test on.
      UNBIASED: which images to train on have colours of any class, and of which.
    """

    HELD_OUT = 1
    TRAIN_COLORS = 2
    TEST_COLORS = 3
    UNBIASED = 4


def of_seed(seed: int, stream: SeedStream) -> jax.Array:
    """The key of a stream of a seed; typed key `[]`."""
    return jax.random.fold_in(jax.random.key(seed), stream)


def of_phase(seed: int, phase: int) -> jax.Array:
    """The key that the steps of phase i fold their numbers into; typed key `[]`."""
    return jax.random.fold_in(jax.random.key(seed), SeedStream.TRAINING + 1 + phase)


def of_beginning(seed: int, phase: int) -> jax.Array:
    """The key of what happens when phase i begins; typed key `[]`."""
    return jax.random.fold_in(of_phase(seed, phase), PhaseStream.BEGINNING)


def on_host(seed: int, stream: HostStream) -> np.random.RandomState:
    """NumPy's generator of a stream of a seed, apart from `RandomState(seed)`."""
    return np.random.RandomState([seed, stream])
