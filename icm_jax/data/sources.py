"""From a config to arrays: the one place that knows which sources there are."""

from typing import Any

from icm_jax.data import bundled, faces, folder
from icm_jax.data.drawings import like_digits
from icm_jax.data.images import resize, stack
from icm_jax.data.types import Dataset, Splits

SOURCES = ("bundled", "tfds", "folder", "faces")


def load(config: Any) -> Splits:
    """Loads the data set that a config names.

    Args:
      config: `ml_collections.ConfigDict` or the like, with
        `source`: one of `SOURCES`;
        `name`: of the data set, for `bundled` ('mnist', 'orl'), `faces` (one of `faces.READERS`)
          and `tfds` (any image data set of it);
        `dir`: for `folder` and `faces`, a directory or zip of images; for `tfds`, where data sets
          are prepared, '' for its default; unused by `bundled`;
        `size`: images are resized to this many pixels a side; 0 leaves them;
        `invert`: pixels x become 255 - x;
        `box`, `thicken`: where `box` is not 0, drawings are made like digits, see `drawings`.

    Returns:
      uint8 images `[N, H, W, C]`, int32 labels `[N]` and attributes `[N]` of both splits.

    Raises:
      ValueError: if a field has a value that is not allowed, or the data are damaged.
      FileNotFoundError: if the data are not there.
    """
    size = config.size
    if config.source == "bundled" and config.dir:
        raise ValueError(
            f"data.dir: {config.dir!r} is not read with data.source 'bundled'; choose data.source "
            "folder, faces or tfds, or leave it out"
        )
    if size < 0:
        raise ValueError(f"data.size: {size} is negative; choose 0 to keep images as they are")
    if config.box > size or (config.thicken and not config.box):
        raise ValueError(
            f"data.box: {config.box} is not allowed with data.size {size} and data.thicken "
            f"{config.thicken}; it must be from 1 to data.size, or 0 without data.thicken"
        )
    splits = _splits(config, 0 if config.box else size)
    if config.invert:
        splits = Splits(*(split._replace(images=255 - split.images) for split in splits))
    if not config.box:
        return splits
    return Splits(
        *(
            split._replace(images=like_digits(split.images, config.thicken, config.box, size))
            for split in splits
        )
    )


def _splits(config: Any, size: int) -> Splits:
    match config.source:
        case "bundled":
            return Splits(*(_resized(split, size) for split in bundled.load(config.name)))
        case "tfds":
            # Imported here because it takes most of a second, which no other source needs.
            from icm_jax.data import tfds_source

            return tfds_source.load(config.name, config.dir, size)
        case "folder":
            return folder.load(config.dir, size)
        case "faces":
            return faces.load(config.name, config.dir, size)
    raise ValueError(
        f"data.source: {config.source!r} is unknown; choose one of {', '.join(SOURCES)}"
    )


def _resized(dataset: Dataset, size: int) -> Dataset:
    if size == 0:
        return dataset
    images = [resize(image, size) for image in dataset.images]
    return dataset._replace(images=stack(images, [""] * len(images)))
