"""The image files of a directory or a zip, read into memory and without trust."""

import contextlib
import functools
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

Opener = Callable[[], BinaryIO]

MAX_BYTES = 2**26  # 64 MiB: an image within the limit on pixels takes no more, uncompressed.

_EXTENSIONS = (".png", ".jpg", ".jpeg", ".gif", ".bmp")
# How such files begin: old data sets (Yale faces) have images without an extension.
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")


def image_files(root: str, field: str = "data.dir") -> Iterator[tuple[str, bytes]]:
    """Yields `(path, content)` of each image in a directory or a zip, sorted by path.

    A path is relative to `root`, with forward slashes. Files that are no images are left out, and
    so are hidden ones and the folder `__MACOSX` that macOS adds to a zip. Nothing is extracted.

    Args:
      root: the directory or zip.
      field: what to call the setting that named it in an error.

    Raises:
      FileNotFoundError: if `root` is neither a directory nor a zip.
      ValueError: if a file lies outside of `root` (a link in a directory, `..` in a zip), has
        more than `MAX_BYTES`, or cannot be read because the zip is damaged or encrypted.
    """
    with opened(root, field) as entries:
        for name, open_file in entries.items():
            content = read_image(name, open_file, field)
            if content is not None:
                yield name, content


@contextlib.contextmanager
def opened(root: str, field: str = "data.dir") -> Iterator[dict[str, Opener]]:
    """Within it the files of a directory or a zip can be opened: path -> function that does it.

    Sorted by path and without hidden files; arguments and errors are as in `image_files`.
    """
    path = Path(root).expanduser()
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            entries = _in_directory(path, field)
        elif path.is_file() and zipfile.is_zipfile(path):
            entries = _in_zip(stack.enter_context(zipfile.ZipFile(path)), field)
        else:
            raise FileNotFoundError(f"{field}: {root!r} is neither a directory nor a zip of images")
        yield {name: entries[name] for name in sorted(entries) if not _is_hidden(name)}


def _in_directory(root: Path, field: str) -> dict[str, Opener]:
    entries, resolved = {}, root.resolve()
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names):
            if not path.resolve().is_relative_to(resolved):
                raise ValueError(f"{field}: {str(path)!r} is a link that leaves {str(root)!r}")
            entries[path.relative_to(root).as_posix()] = functools.partial(path.open, "rb")
    return entries


def _in_zip(archive: zipfile.ZipFile, field: str) -> dict[str, Opener]:
    entries = {}
    for member in archive.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{field}: {member.filename!r} in the zip leads out of it")
        if not member.is_dir():
            entries[path.as_posix()] = functools.partial(archive.open, member)
    return entries


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def has_image_name(path: str) -> bool:
    """Whether a file is called an image; some are images and called otherwise."""
    return path.lower().endswith(_EXTENSIONS)


def read_image(name: str, open_file: Opener, field: str) -> bytes | None:
    """The content of a file, None if it is no image; raises ValueError as `image_files` does."""
    return read_file(
        name, open_file, field, lambda start: has_image_name(name) or start.startswith(_SIGNATURES)
    )


def read_file(
    name: str,
    open_file: Opener,
    field: str,
    is_wanted: Callable[[bytes], bool] = lambda start: True,
) -> bytes | None:
    """The content of a file, None if by its first bytes it is not wanted; raises as above."""
    try:
        with open_file() as file:
            content = file.read(max(map(len, _SIGNATURES)))
            if not is_wanted(content):
                return None
            # Whatever size a zip claims for a file, no more than this is unpacked.
            content += file.read(MAX_BYTES)
    except Exception as error:
        # A damaged zip raises BadZipFile, zlib.error, EOFError, ...; an encrypted RuntimeError.
        raise ValueError(f"{field}: {name!r} cannot be read: {error}") from error
    if len(content) > MAX_BYTES:
        raise ValueError(f"{field}: {name!r} has more than {MAX_BYTES} bytes, the most allowed")
    return content
