"""Files of weights: found, and checked by the digest in their names."""

import os
import re
from pathlib import Path

from icm_jax import paths
from icm_jax.data.image_files import check_is_no_pointer

# As PyTorch's hub names files: vgg16-397923af.pth begins, as a SHA-256, with 397923af. An .npz is
# none of these: in its name that may be a date.
_DIGEST = re.compile(r"-([0-9a-f]{8,64})\.(?!npz$)\w+$")


def find(path: str | os.PathLike, field: str, needed: str) -> Path:
    """A file of weights.

    Args:
      path: of the file.
      field: what an error begins with.
      needed: what it must be, for an error.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is a pointer of Git LFS, or has another digest than its name says.
    """
    file, said = paths.local(path, field), f"{field}: {os.fspath(path)!r}"
    if not file.is_file():
        raise FileNotFoundError(f"{said} is not there, or is no file; it must be {needed}")
    check_is_no_pointer(file, said)
    if named := _DIGEST.search(file.name):
        check_digest(file, named[1], said)
    return file


def check_digest(file: Path, start: str, said: str) -> None:
    """Raises ValueError, beginning with `said`, if a file's SHA-256 does not begin with `start`."""
    found = paths.digest_file(file)
    if not found.startswith(start):
        raise ValueError(f"{said} is damaged: SHA-256 is {found}, should begin with {start}")
