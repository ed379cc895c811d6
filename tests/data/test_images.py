import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from icm_jax.data import images


def encode(picture, file_format="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
COLOUR = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP", "TIFF", "PPM"])
def test_grey_stays_one_channel(file_format):
    found = images.decode(encode(Image.fromarray(GREY), file_format), "x")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, GREY[..., None])


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP"])
def test_colour_is_kept(file_format):
    found = images.decode(encode(Image.fromarray(COLOUR), file_format), "x")
    np.testing.assert_array_equal(found, COLOUR)


@pytest.mark.parametrize("pixels", [GREY, COLOUR])
def test_jpeg_is_close(pixels):
    smooth = np.broadcast_to(pixels[1, 2], pixels.shape)
    found = images.decode(encode(Image.fromarray(smooth), "JPEG"), "x")
    np.testing.assert_allclose(found, smooth.reshape(4, 6, -1), atol=3)


def test_one_bit_is_black_and_white():
    found = images.decode(encode(Image.fromarray(GREY > 100)), "x")
    np.testing.assert_array_equal(found[..., 0], np.where(GREY > 100, 255, 0))


def test_palette_of_greys_in_any_order_is_grey():
    picture = Image.fromarray(255 - GREY).convert("P")
    picture.putpalette([255 - i // 3 for i in range(768)])
    np.testing.assert_array_equal(images.decode(encode(picture), "x"), GREY[..., None])


def test_transparency_is_dropped():
    picture = Image.fromarray(COLOUR).convert("RGBA")
    picture.putalpha(7)
    np.testing.assert_array_equal(images.decode(encode(picture), "x"), COLOUR)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_ink_on_a_transparent_ground_is_refused(mode):
    picture = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (1, 1, 2, 3))
    with pytest.raises(ValueError, match="ink.png .* is transparent; lay it on a white or a black"):
        images.decode(encode(picture.convert(mode)), "ink.png")


def test_transparency_of_one_grey_is_refused():
    content = encode(Image.fromarray(GREY), transparency=10)
    with pytest.raises(ValueError, match="a part of it is transparent"):
        images.decode(content, "x")


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_equal_channels_are_grey(file_format):
    options = {"lossless": True} if file_format == "WEBP" else {}
    found = images.decode(encode(Image.fromarray(GREY).convert("RGB"), file_format, **options), "x")
    np.testing.assert_array_equal(found, GREY[..., None])


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, [[1, 2], [3, 4]]),
        (2, [[2, 1], [4, 3]]),
        (3, [[4, 3], [2, 1]]),
        (4, [[3, 4], [1, 2]]),
        (5, [[1, 3], [2, 4]]),
        (6, [[3, 1], [4, 2]]),
        (7, [[4, 2], [3, 1]]),
        (8, [[2, 4], [1, 3]]),
    ],
)
@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_exif_orientation(orientation, upright, file_format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8))
    found = images.decode(encode(picture, file_format, exif=exif), "x")
    assert found[..., 0].tolist() == upright


def test_damaged_exif_harms_nothing():
    content = encode(Image.fromarray(GREY), exif=b"Exif\0\0no such thing")
    np.testing.assert_array_equal(images.decode(content, "x"), GREY[..., None])


def deep_png():
    """16 bits a channel in colour, which Pillow cannot write."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(range(12))) * 2)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


DEEP = Image.fromarray(GREY.astype(np.uint16) * 256)


@pytest.mark.parametrize(
    "content",
    [
        encode(DEEP),
        encode(DEEP, "TIFF"),
        encode(DEEP, "PPM"),
        b"P6 2 1 65535 " + bytes(range(12)),
        deep_png(),
    ],
    ids=["png", "tiff", "pgm", "ppm", "colour png"],
)
def test_sixteen_bits_are_refused(content):
    with pytest.raises(ValueError, match="deep.png is not a usable image: .* 8 bits a channel"):
        images.decode(content, "deep.png")


def test_several_pages_are_refused():
    page = Image.fromarray(GREY)
    with pytest.raises(ValueError, match="x.tif .* it has 2 pages; save each as a file"):
        images.decode(encode(page, "TIFF", save_all=True, append_images=[page]), "x.tif")


@pytest.mark.parametrize("content", [b"", b"no image", encode(Image.fromarray(COLOUR))[:50]])
def test_damaged_file_is_named(content):
    with pytest.raises(ValueError, match="broken.png is not a usable image"):
        images.decode(content, "broken.png")


def test_other_formats_are_refused():
    with pytest.raises(ValueError, match="x.tga is not a usable image"):
        images.decode(encode(Image.fromarray(GREY), "TGA"), "x.tga")


def test_decompression_bomb_is_refused_by_its_header():
    # 5,000 x 5,000 > 2**24 pixels, in a few kilobytes.
    bomb = encode(Image.new("1", (5000, 5000)))
    assert len(bomb) < 10_000
    with pytest.raises(ValueError, match="bomb.png .*5000x5000 pixels; at most 16777216"):
        # Cut off after the header, so that decoding it would fail otherwise.
        images.decode(bomb[:200], "bomb.png")


def test_resize_averages_what_it_reduces():
    # Stripes of one pixel: taking every second pixel would give all black or all white.
    stripes = np.tile(np.array([0, 255], np.uint8), (32, 16))[..., None]
    found = images.resize(stripes, 8)
    assert found.shape == (8, 8, 1)
    np.testing.assert_allclose(found[:, 1:-1], 127.5, atol=10)


def test_resize_to_zero_or_to_the_same_changes_nothing():
    square = COLOUR[:4, :4]
    assert images.resize(COLOUR, 0) is COLOUR
    assert images.resize(square, 4) is square
    assert images.resize(COLOUR, 3).shape == (3, 3, 3)


def test_stack_makes_grey_colour_beside_colour():
    found = images.stack([GREY[..., None], COLOUR], ["a", "b"])
    assert found.shape == (2, 4, 6, 3)
    np.testing.assert_array_equal(found[0], np.repeat(GREY[..., None], 3, axis=-1))
    np.testing.assert_array_equal(found[1], COLOUR)


def test_stack_of_two_sizes_names_both():
    with pytest.raises(ValueError, match="data.size: 0 .*a has 4x6 pixels and b has 4x5; set"):
        images.stack([COLOUR, COLOUR[:, :5]], ["a", "b"])


def test_an_empty_file_says_so():
    with pytest.raises(ValueError, match="x.png is not a usable image: it is empty, damaged or"):
        images.decode(b"", "x.png")
