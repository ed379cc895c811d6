import jax.numpy as jnp
import pytest

from icm_jax.schedules import decayed


def test_learning_rates_fall_to_zero_over_the_last_part():
    # Of 10 steps the last 4 decay: (10 - 8) / 4 = 0.5 at step 8, 0 after the last.
    factors = [float(decayed(jnp.int32(i), 10, 0.4)) for i in (0, 6, 8, 10)]
    assert factors == [1.0, 1.0, 0.5, 0.0]
    assert decayed(jnp.int32(9), 10, 0.0) == 1.0


def test_steps_are_one_number():
    with pytest.raises(AssertionError, match="rank"):
        decayed(jnp.zeros(2, jnp.int32), 10, 0.4)
