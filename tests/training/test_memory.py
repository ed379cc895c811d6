"""Memory that runs out is told in a line."""

import jax
import pytest

from icm_jax import training


@pytest.mark.parametrize(
    "error",
    [
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 4 bytes\nat ..."),
        MemoryError("Unable to allocate 4 bytes"),
    ],
)
def test_it_is_told_what_needs_less(error):
    with pytest.raises(training.OutOfMemory) as told, training.telling_memory():
        raise error
    assert "4 bytes; take smaller batches or networks" in str(told.value)
    assert "\n" not in str(told.value)


def test_other_errors_stay_what_they_are():
    with pytest.raises(jax.errors.JaxRuntimeError), training.telling_memory():
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")
