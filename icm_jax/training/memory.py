"""Memory that runs out, of a device or of the host, told as an error of its own."""

import contextlib
from collections.abc import Iterator

import jax


class OutOfMemory(RuntimeError):
    """There is not enough memory; the message says what needs less."""


@contextlib.contextmanager
def telling_memory() -> Iterator[None]:
    """Within it, memory that runs out raises OutOfMemory."""
    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0]
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in said:
            raise
        raise OutOfMemory(
            f"out of memory: {said}; take smaller batches or networks, fewer images, or fewer "
            "seeds at once"
        ) from error
