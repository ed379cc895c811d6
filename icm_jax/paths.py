"""Paths that people give, and files that are written whole."""

import contextlib
import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

# gs://bucket, and gs:/bucket, which pathlib makes of it; one letter may be a drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def has_scheme(path: str | os.PathLike) -> bool:
    """Whether a path is an address, such as `gs://bucket/a`, and none of this machine's."""
    return _SCHEME.match(os.fspath(path)) is not None


def local(path: str | os.PathLike, name: str) -> Path:
    """A path of this machine's file systems, with the home folder in place of `~`.

    Raises:
      ValueError: it has a scheme, its `~` stands for nobody, or it cannot be used (too long, in a
        folder that must not be read); the message begins with `name`.
    """
    if has_scheme(path):
        raise ValueError(
            f"{name}: {os.fspath(path)!r} is not allowed; it must be a path on this machine, "
            "without a scheme such as gs://; mount or copy what lies elsewhere"
        )
    try:
        found = Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"{name}: {os.fspath(path)!r} has a home folder that is not known here; write the path "
            "without ~"
        ) from error
    check_can_be_asked(found, name)
    return found


def check_can_be_asked(path: Path, name: str) -> None:
    """Raises ValueError, beginning with `name`, if the system cannot say what is at a path."""
    try:
        path.exists()
    except OSError as error:
        raise ValueError(f"{name}: {str(path)!r} cannot be used: {error.strerror}") from error


def digest_file(path: Path) -> str:
    """SHA-256 of what is in a file, read in parts."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def digest_listing(path: str | os.PathLike, name: str) -> str:
    """SHA-256 of names, sizes and times of change: of a file, or of all that are in a folder.

    It takes no reading, and changes wherever what is in them may have. '' of an empty path, and of
    one with a scheme.

    Raises:
      ValueError: as `local` does, beginning with `name`.
    """
    if not path or has_scheme(path):
        return ""
    root, listing = local(path, name), hashlib.sha256()
    for file in sorted(root.rglob("*")) if root.is_dir() else [root]:
        with contextlib.suppress(FileNotFoundError):
            of = file.stat()
            inside = file.relative_to(root).as_posix()
            line = f"{inside}:{of.st_size}:{of.st_mtime_ns}\n"
            listing.update(line.encode(errors="surrogateescape"))  # names that are no UTF-8
    return listing.hexdigest()


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Within it a file is written beside `path`, which takes its place, whole, at the end.

    Where anything fails the older file stands and the new one is deleted. Of several processes that
    write the same file, on whatever machines, each writes its own; that which ends last stands.
    """
    path = path.resolve()
    unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
