"""The memory that the host's allocator keeps for itself."""

import ctypes
import platform

# Constants of glibc's malloc.h and the values that suit programs with a few large buffers.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def keep_host_memory() -> None:
    """Lets freed memory stay with this process; does nothing where the C library is not glibc.

    A step on a CPU frees its large buffers and the next takes them again. By default glibc hands
    them back to the system in between, and a tenth of the step is spent on getting them back.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    # One arena: the others cannot grow to the size of such buffers.
    libc.mallopt(_ARENA_MAX, 1)
    libc.mallopt(_MMAP_THRESHOLD, 2**30)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
