"""The memory that the host's allocator keeps for itself."""

import ctypes
import platform

# Constants of glibc's malloc.h and of Linux's mman.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_DEFAULT_TOP_PAD = 128 * 2**10
_HUGE_PAGE, _ADVISE_HUGE_PAGES = 2**21, 14
# What a step of ten experts holds; more than that comes in pages of the usual size.
_HEAP = 2**30


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
    _ask_for_huge_pages(libc)


def _ask_for_huge_pages(libc: ctypes.CDLL) -> None:
    """Grows the heap at once, by memory that is taken when it is used, and in large pages then.

    Where the system has none, or no room for such a heap, all stays as it was.
    """
    libc.sbrk.restype = libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    before = libc.sbrk(0)
    libc.mallopt(_TOP_PAD, _HEAP)
    libc.free(libc.malloc(_HUGE_PAGE))
    libc.mallopt(_TOP_PAD, _DEFAULT_TOP_PAD)
    start, end = -(-before // _HUGE_PAGE) * _HUGE_PAGE, libc.sbrk(0) // _HUGE_PAGE * _HUGE_PAGE
    if end > start:
        libc.madvise(start, end - start, _ADVISE_HUGE_PAGES)
