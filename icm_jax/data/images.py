"""Image files to arrays, without trust, and images of many sizes to one."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

MAX_PIXELS = 2**24  # 4096 x 4096: far above any training image, far below what fills a memory.
FORMATS = ("PNG", "JPEG", "GIF", "BMP")


def decode(content: bytes, name: str) -> np.ndarray:
    """Decodes a file in one of `FORMATS`: uint8 `[H, W, 1]` if it is grey, else `[H, W, 3]`.

    Of an animation it takes the first frame; transparency is dropped.

    Args:
      content: the bytes of the file.
      name: what to call the file in an error.

    Raises:
      ValueError: if the file is damaged, has more than `MAX_PIXELS` pixels, or more than 8 bits a
        channel.
    """
    try:
        # Opening reads no more than the header; pixels are decoded once their number is known.
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"{image.width}x{image.height} pixels; at most {MAX_PIXELS} are allowed"
                )
            return _pixels(image)
    except Exception as error:
        # Pillow raises half a dozen kinds of error for damaged files: OSError, SyntaxError, ...
        raise ValueError(f"{name} is not a usable image: {error}") from error


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Resizes a uint8 image `[H, W, C]` with antialiasing to `[size, size, C]`; C is 1 or 3.

    Each axis is scaled by its own factor. A `size` of 0 leaves the image as it is.
    """
    if size == 0 or image.shape[:2] == (size, size):
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    # Pillow's filters widen with the factor of reduction: that is the antialiasing.
    resized = np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))
    return resized.reshape(size, size, -1)


def stack(images: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Stacks at least one uint8 image `[H, W, C]` into `[N, H, W, C]`; C is 1 or 3.

    Where some images are grey and some in colour, all become colour.

    Args:
      images: what to stack.
      names: what to call each image in an error.

    Raises:
      ValueError: if the images have different sizes.
    """
    first = images[0].shape
    for image, name in zip(images, names, strict=True):
        if image.shape[:2] != first[:2]:
            raise ValueError(
                f"data.size: 0 keeps images as they are, but {names[0]} has {first[0]}x{first[1]} "
                f"pixels and {name} has {image.shape[0]}x{image.shape[1]}; set data.size to "
                "resize them all"
            )
    channels = max(image.shape[-1] for image in images)
    result = np.empty((len(images), *first[:2], channels), np.uint8)
    for row, image in zip(result, images, strict=True):
        row[...] = image
    return result


def _pixels(image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"its pixels have mode {image.mode}; 8 bits a channel are needed")
    if image.mode in ("1", "L", "LA"):
        return np.array(image.convert("L"))[..., None]
    pixels = np.array(image.convert("RGB"))
    # A palette, which every GIF has, does not say whether it holds greys or colours.
    if image.mode == "P" and (pixels == pixels[..., :1]).all():
        return pixels[..., :1]
    return pixels
