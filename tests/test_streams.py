import enum

import jax
import numpy as np
import pytest

from icm_jax import streams
from icm_jax.streams import HostStream, PhaseStream, SeedStream, StepStream


def data(key):
    return tuple(jax.random.key_data(key).tolist())


def test_a_number_folded_in_is_a_place_in_a_split():
    # Why numbers must lie apart from whatever is split.
    key = jax.random.key(3)
    for i, part in enumerate(jax.random.split(key, 5)):
        assert data(jax.random.fold_in(key, i)) == data(part)


@pytest.mark.parametrize("kind", [SeedStream, PhaseStream, StepStream])
def test_streams_lie_apart_from_splits_and_from_each_other(kind):
    assert issubclass(kind, enum.IntEnum)
    numbers = [int(s) for s in kind.__members__.values() if s is not SeedStream.TRAINING]
    assert len(set(numbers)) == len(numbers)
    assert all(streams.LEAST_APART <= number < 2**32 for number in numbers)


def test_the_numbers_of_finished_runs_stay():
    # Runs that were begun go on, and examinations repeat what they found.
    fold = jax.random.fold_in
    assert data(streams.of_seed(7, SeedStream.TRAINING)) == data(fold(jax.random.key(7), 0))
    evaluation = streams.of_seed(7, SeedStream.EVALUATION)
    assert data(evaluation) == data(fold(jax.random.key(7), 2**31 - 1))
    second = fold(jax.random.key(7), 2)
    assert data(streams.of_phase(7, 1)) == data(second)
    assert data(streams.of_beginning(7, 1)) == data(fold(second, 2**32 - 1))
    assert (SeedStream.TRANSFER, SeedStream.COMPOSITION) == (2**31 - 2, 2**31 - 3)
    assert StepStream.EXPERTS == 2**31 - 1
    expected = np.random.RandomState([7, 1]).uniform(size=3)
    np.testing.assert_array_equal(streams.on_host(7, HostStream.HELD_OUT).uniform(size=3), expected)
