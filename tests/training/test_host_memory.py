"""What the process keeps of its memory, and in which pages."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
from icm_jax import training
training.keep_host_memory()
print(open("/proc/self/smaps").read())
"""


def _largest_heap(maps: str) -> tuple[int, str]:
    """Bytes and flags of the largest part of the heap in the text of `/proc/self/smaps`."""
    parts = []
    for area in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", maps):
        start, end = (int(address, 16) for address in area.split()[0].split("-"))
        if "[heap]" in area and (flags := re.search(r"VmFlags: (.*)", area)):
            parts.append((end - start, flags[1]))
    return max(parts, default=(0, ""))


def _gives_huge_pages() -> bool:
    file = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    smaps = Path("/proc/self/smaps")
    return file.exists() and smaps.exists() and "VmFlags" in smaps.read_text()


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not _gives_huge_pages(),
    reason="of glibc on a Linux that has huge pages",
)
def test_the_heap_is_grown_once_and_asks_for_huge_pages():
    maps = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    ).stdout
    size, flags = _largest_heap(maps)
    assert 2**30 <= size < 2**30 + 2**23
    assert "hg" in flags.split()
