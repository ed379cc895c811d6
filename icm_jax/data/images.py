"""Image files to arrays, without trust, and images of many sizes to one."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

MAX_PIXELS = 2**24  # 4096 x 4096: far above any training image, far below what fills a memory.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM")

_BITS_PER_SAMPLE = 258  # tag of TIFF
# What brings a picture upright, by its EXIF orientation; 1 is upright already.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(content: bytes, name: str) -> np.ndarray:
    """Decodes a file in one of `FORMATS`: uint8 `[H, W, 1]` if it is grey, else `[H, W, 3]`.

    A picture whose three channels are equal is grey. It is turned as its EXIF orientation says. Of
    an animation it takes the first frame; transparency that is the same everywhere is dropped.

    Args:
      content: the bytes of the file.
      name: what to call the file in an error.

    Raises:
      ValueError: if the file is damaged, has more than `MAX_PIXELS` pixels, more than 8 bits a
        channel or, as a TIFF, several pages; or if a part of it is transparent: no file says on
        what ground, and dark ink would be lost on black, bright ink on white.
    """
    try:
        # Opening reads no more than the header; pixels are decoded once their number is known.
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"{image.width}x{image.height} pixels; at most {MAX_PIXELS} are allowed"
                )
            _check_depth(image, content)
            return _pixels(image)
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{name} is not a usable image: it is empty, damaged or none of {', '.join(FORMATS)}"
        ) from error
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


def _check_depth(image: Image.Image, content: bytes) -> None:
    """Refuses what Pillow would cut without a word: 16 bits to 8, pages to the first."""
    deep = image.mode.startswith(("I", "F"))
    if image.format == "PNG":
        deep |= content[24] > 8  # in its header
    elif image.format == "TIFF":
        deep |= max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))) > 8
        if image.n_frames > 1:
            raise ValueError(f"it has {image.n_frames} pages; save each as a file")
    elif image.format == "PPM":
        arguments = image.tile[0].args
        deep |= isinstance(arguments, tuple) and arguments[1] > 255
    if deep:
        raise ValueError(
            f"it has more than 8 bits a channel (mode {image.mode}); save it with 8 bits a channel"
        )


def _pixels(image: Image.Image) -> np.ndarray:
    image.load()
    if image.has_transparency_data:
        low, high = image.convert("RGBA").getchannel("A").getextrema()
        if low != high:
            raise ValueError("a part of it is transparent; lay it on a white or a black ground")
    image = _upright(image)
    if image.mode in ("1", "L", "LA"):
        return np.array(image.convert("L"))[..., None]
    pixels = np.array(image.convert("RGB"))
    return pixels[..., :1] if (pixels == pixels[..., :1]).all() else pixels


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        return image  # Damaged EXIF, of which Pillow raises many kinds of error, harms no pixel.
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image
