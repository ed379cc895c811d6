"""A directory or a zip of images (PNG, JPEG, TIFF, ...), whose sub-folders are the classes."""

import itertools
import logging
import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from icm_jax.data.image_files import empty_folders, image_files
from icm_jax.data.images import decode, resize, stack
from icm_jax.data.split import held_out, set_apart
from icm_jax.data.types import Dataset, Splits

_log = logging.getLogger(__name__)

_SPELLINGS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "validate", "validating", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation", "heldout", "holdout"),
}
_SPLIT = re.compile(
    f"(?<![a-z])({'|'.join(itertools.chain(*_SPELLINGS.values()))})(?=(set|data|images)?(?![a-z]))"
)


def load(root: str, size: int = 0) -> Splits:
    """Loads images from a directory or a zip, in a mixed order that is always the same.

    The class of an image is the folder it lies in, at whatever depth (`Greek/character03`);
    labels number these folders from 0 in sorted order. Attributes are `class`, that folder, and
    `path`, both as text.

    Where all images lie in folders `train` and `test`, at the same depth, those are the splits, and
    not part of the class. They may be spelled `Training`, `testing`, `train_set`, `train2017`,
    `seg_train` and the like, and instead of `test` there may be `val`, `valid`, `validation` or
    `dev`. A folder of validation beside `train` and `test` is refused: its images would be lost,
    or be trained or tested on unasked. Otherwise the tenth of the images whose paths have the
    lowest MD5 is the test split: always the same, whatever the seed.

    Args:
      root: the directory or zip.
      size: images are resized to this many pixels a side, with antialiasing; 0 leaves them as
        they are.

    Returns:
      uint8 `[N, H, W, C]` images, C = 1 if all of them are grey, in whichever mode
      they are saved; of grey and coloured ones all become colour.

    Raises:
      FileNotFoundError: if `root` is neither a directory nor a zip.
      ValueError: if it is an `.npz`, if an image cannot be used (see `image_files` and `decode`),
        if there are fewer than two, if they have different sizes and `size` is 0, if there are more
        folders beside `train` and `test`, or only folders to test on, or to train on beside empty
        ones to test on.
    """
    if not root:
        raise FileNotFoundError(
            "data.dir: '' is empty; data.source 'folder' needs a directory or zip"
        )
    if root.lower().endswith(".npz"):
        raise ValueError(
            f"data.dir: {root!r} holds arrays; it must be a directory or zip of images, or "
            "give the arrays to icm_jax.run"
        )
    paths, images = [], []
    for path, content in image_files(root):
        paths.append(path)
        images.append(resize(decode(content, f"data.dir: {path!r}"), size))
    if len(paths) < 2:
        raise ValueError(
            f"data.dir: {root!r} has {len(paths)} images; at least 2 are needed, one to train on "
            "and one to test on"
        )
    _check_empty(empty_folders(root, paths), paths)
    classes, is_test = _classify(paths)
    names, labels = np.unique(classes, return_inverse=True)
    _tell_of_twins(names.tolist())
    dataset = Dataset(
        stack(images, [repr(path) for path in paths]),
        labels.astype(np.int32),
        {"class": names[labels], "path": np.array(paths)},
    )
    return set_apart(dataset, is_test)


def _check_empty(empty: Sequence[PurePosixPath], paths: Sequence[str]) -> None:
    """Refuses folders to train on beside empty ones to test on, and tells of other empty ones.

    Args:
      empty: folders without an image.
      paths: of the images.
    """
    full = {folder for path in paths for folder in PurePosixPath(path).parents}
    for folder in empty:
        beside = {_split(other.name) for other in full if other.parent == folder.parent}
        split, rest = _split(folder.name) or ("train", "")
        if split != "train" and {of for of, its in filter(None, beside) if its == rest} == {
            "train"
        }:
            raise ValueError(
                f"data.dir: the folder {str(folder)!r}, to test on, has no images; put some there, "
                "or remove it to have a tenth of the others tested on"
            )
    if empty:
        more = f" and {len(empty) - 1} more folders have" if len(empty) > 1 else " has"
        _log.warning("data.dir: %r%s no image that is read", str(empty[0]), more)


def _tell_of_twins(classes: Sequence[str]) -> None:
    """Says which classes look alike, and would be one on some file systems."""
    seen = {}
    for name in classes:
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            _log.warning(
                "data.dir: %a and %a differ in case or in how letters are encoded alone, and are "
                "two classes",
                other,
                name,
            )


def _classify(paths: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The class of each image, and bool `[N]`, whether it belongs to the test split."""
    parents = [PurePosixPath(path).parent.parts for path in paths]
    for depth in range(max(map(len, parents))):
        folders = [parts[depth] if len(parts) > depth else "" for parts in parents]
        splits = _splits(sorted(set(folders)))
        if splits:
            # A folder around all images is no part of a class either.
            start = depth if len({parts[:depth] for parts in parents}) == 1 else 0
            classes = ["/".join(parts[start:depth] + parts[depth + 1 :]) for parts in parents]
            return classes, np.array([splits[name] != "train" for name in folders])
    return ["/".join(parts) for parts in parents], held_out(paths)


def _splits(folders: Sequence[str]) -> dict[str, str]:
    """Which of `train`, `val` and `test` each folder is; empty if they are no splits."""
    found = {name: _split(name) for name in folders}
    # Of folders called alike but for the split: a `bullet_train` is none beside a `test_tube`.
    by_rest = {}
    for split, rest in filter(None, found.values()):
        by_rest.setdefault(rest, set()).add(split)
    for rest, splits in by_rest.items():
        alone = all(of and of[1] == rest for of in found.values())
        if "train" not in splits and rest == "" and alone:
            raise ValueError(
                f"data.dir: the images lie in {folders}, to test on; a folder 'train' beside them "
                "is missing or has no images"
            )
        if "train" in splits and len(splits) > 1:
            if not alone or len(splits) > 2:
                raise ValueError(
                    f"data.dir: images lie in the folders {folders}, of which some are splits; "
                    "beside 'train' there should be 'test' or 'val' alone ('' is none of them): "
                    "move or take out the others"
                )
            return {name: split for name, (split, _) in found.items()}
    return {}


def _split(folder: str) -> tuple[str, str] | None:
    """The split that a folder is called by, and its name without that; None if it is none."""
    match = _SPLIT.search(folder.casefold())
    if match is None:
        return None
    word = match.group()
    split = next(name for name, spellings in _SPELLINGS.items() if word in spellings)
    head, tail = folder.casefold()[: match.start()], folder.casefold()[match.end() :]
    # COCO's train2017 and test2015 differ in more than the split.
    rest = re.sub(r"[\W_\d]", "", head) + re.sub(r"[\W_\d]|set|data|images", "", tail)
    return split, rest
