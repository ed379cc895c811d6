"""The image files of a directory or a zip, read into memory and without trust."""

import contextlib
import functools
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from icm_jax import paths

Opener = Callable[[], BinaryIO]

MAX_BYTES = 2**26  # 64 MiB: an image within the limit on pixels takes no more, uncompressed.

KINDS = "PNG, JPEG, GIF, BMP, WebP, TIFF, PGM, PPM or PBM"
_EXTENSIONS = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".dib"),
    *(".webp", ".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm"),
)
# Images to a person, but not read: rarely met, too deep, of no pixels, or by unsafe programs.
_OTHER_EXTENSIONS = re.compile(
    r"\.(avifs?|hei[cf]s?|jp[2cfx]|j2[ck]|jxl|svg|eps|psd|tga|icb|vda|vst|[dp]cx|ico|cur|icns|dds|sgi"
    r"|ras|qoi|exr|hdr|pfm|pam|mpo|fits?|dcm|dng|cr[23]|nef|arw|orf|rw2|xbm|xpm)$",
    re.IGNORECASE,
)
# How such files begin: old data sets (Yale faces) have images without an extension.
_SIGNATURE = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*|BM....\0\0\0\0|P[4-6]\s+[0-9#]",
    re.DOTALL,
)
_START = 16  # bytes that a signature needs
_POINTER = b"version https://git-lfs.github.com/spec/"


def image_files(root: str, field: str = "data.dir") -> Iterator[tuple[str, bytes]]:
    """Yields `(path, content)` of each image in a directory or a zip, sorted by path.

    A path is relative to `root`, with forward slashes. Files that are no images are left out, and
    so are hidden ones and the folder `__MACOSX` that macOS adds to a zip. Nothing is extracted.
    Links to files and folders inside of a directory are followed.

    Args:
      root: the directory or zip.
      field: what to call the setting that named it in an error.

    Raises:
      FileNotFoundError: if `root` is neither a directory nor a zip.
      ValueError: if a file or folder lies outside of `root` (a link in a directory, `..` in a
        zip), or a folder is found twice by a link; if a file has more than `MAX_BYTES`, cannot be
        read because the zip is damaged or encrypted, or is an image of another kind than `KINDS`.
    """
    with opened(root, field) as entries:
        for name in entries:
            refuse_other_format(name, field)
        for name, open_file in entries.items():
            content = read_image(name, open_file, field)
            if content is not None:
                yield name, content


def empty_folders(root: str, names: Iterable[str]) -> list[PurePosixPath]:
    """The folders in a directory or a zip that have none of the files `names`, sorted.

    Of folders within each other, it is the outermost.
    """
    path = paths.local(root, "data.dir")
    if path.is_dir():
        # Links lead in no circle, or `opened` would have refused the directory.
        found = {
            PurePosixPath(os.path.relpath(os.path.join(folder, name), path))
            for folder, inner, _ in os.walk(path, followlinks=True)
            for name in inner
        }
    else:
        with zipfile.ZipFile(path) as archive:
            members = [name.replace("\\", "/") for name in archive.namelist()]
        # The name of a folder ends in a slash: something in it has the folder for a parent.
        found = {folder for name in members for folder in PurePosixPath(f"{name}.x").parents}
    full = {folder for name in names for folder in PurePosixPath(name).parents}
    empty = {folder for folder in found - full if not _is_hidden(folder.as_posix())}
    return sorted(folder for folder in empty if folder.parent not in empty)


@contextlib.contextmanager
def opened(root: str, field: str = "data.dir") -> Iterator[dict[str, Opener]]:
    """Within it the files of a directory or a zip can be opened: path -> function that does it.

    Sorted by path and without hidden files; arguments and errors are as in `image_files`.
    """
    path = paths.local(root, field)
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            entries = _in_directory(path, field)
        elif path.is_file() and zipfile.is_zipfile(path):
            entries = _in_zip(stack.enter_context(zipfile.ZipFile(path)), field)
        else:
            check_is_no_pointer(path, f"{field}: {root!r}")
            if path.is_file() and path.suffix.lower() == ".zip":
                raise ValueError(
                    f"{field}: {root!r} is no zip, or not all of one; copy or download it anew"
                )
            raise FileNotFoundError(f"{field}: {root!r} is neither a directory nor a zip of images")
        yield {name: entries[name] for name in sorted(entries) if not _is_hidden(name)}


def _in_directory(root: Path, field: str) -> dict[str, Opener]:
    def refuse(error: OSError) -> None:
        raise ValueError(f"{field}: the folder {error.filename!r} cannot be read: {error.strerror}")

    entries, seen, resolved = {}, {}, os.path.realpath(root)
    for folder, folders, names in os.walk(root, onerror=refuse, followlinks=True):
        # Cut here, before they are entered: a link in a hidden folder harms nothing.
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        # By a link a folder could be found twice, as `train` and `test`, or without end.
        first = seen.setdefault(os.path.realpath(folder), folder)
        if first != folder:
            raise ValueError(
                f"{field}: {first!r} and {folder!r} are one folder, by a link; remove the link"
            )
        for path in (Path(folder, name) for name in [*folders, *names] if not _is_hidden(name)):
            if not Path(os.path.realpath(path)).is_relative_to(resolved):
                raise ValueError(
                    f"{field}: {str(path)!r} is a link that leaves {str(root)!r}; put what it "
                    "points to in its place"
                )
        for path in (Path(folder, name) for name in names):
            entries[path.relative_to(root).as_posix()] = functools.partial(_open_file, path)
    return entries


def _open_file(path: Path) -> BinaryIO:
    # Opening a named pipe would wait for ever.
    if path.exists() and not path.is_file():
        raise OSError("it is no regular file")
    return path.open("rb")


def _in_zip(archive: zipfile.ZipFile, field: str) -> dict[str, Opener]:
    entries = {}
    for member in archive.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{field}: {member.filename!r} in the zip leads out of it")
        if not member.is_dir():
            if path.as_posix() in entries:
                raise ValueError(
                    f"{field}: {path.as_posix()!r} is in the zip twice; pack it anew, each once"
                )
            entries[path.as_posix()] = functools.partial(archive.open, member)
    return entries


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def has_image_name(path: str) -> bool:
    """Whether a file is called an image; some are images and called otherwise."""
    return path.lower().endswith(_EXTENSIONS)


def is_in_other_format(path: str) -> bool:
    """Whether a file is called an image of a kind that is not read."""
    return _OTHER_EXTENSIONS.search(path) is not None


def refuse_other_format(path: str, field: str) -> None:
    """Raises ValueError for a file that is called so."""
    if is_in_other_format(path):
        raise ValueError(
            f"{field}: {path!r} is in a format that is not read; convert it to {KINDS}, or take it "
            "out"
        )


def check_is_no_pointer(path: Path, said: str) -> None:
    """Raises ValueError if a file is what Git keeps in its place where Git LFS is not installed."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        _check_start(file.read(len(_POINTER)), said)


def _check_start(content: bytes, said: str) -> None:
    if content.startswith(_POINTER):
        raise ValueError(
            f"{said} is a pointer of Git LFS and not the file itself; run `git lfs pull` there"
        )


def read_image(name: str, open_file: Opener, field: str) -> bytes | None:
    """The content of a file, None if it is no image; raises ValueError as `image_files` does."""
    return read_file(
        name, open_file, field, lambda start: has_image_name(name) or bool(_SIGNATURE.match(start))
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
            content = file.read(_START)
            if not is_wanted(content):
                return None
            # Whatever size a zip claims for a file, no more than this is unpacked.
            content += file.read(MAX_BYTES)
    except Exception as error:
        # A damaged zip raises BadZipFile, zlib.error, EOFError, ...; an encrypted RuntimeError.
        raise ValueError(f"{field}: {name!r} cannot be read: {error}") from error
    if len(content) > MAX_BYTES:
        raise ValueError(f"{field}: {name!r} has more than {MAX_BYTES} bytes, the most allowed")
    _check_start(content, f"{field}: {name!r}")
    return content
