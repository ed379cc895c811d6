import io

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


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP"])
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
    smooth = np.full_like(pixels, 100)
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


def test_sixteen_bits_are_refused():
    with pytest.raises(ValueError, match="deep.png is not a usable image: .*8 bits"):
        images.decode(encode(Image.fromarray(GREY.astype(np.uint16) * 256)), "deep.png")


@pytest.mark.parametrize("content", [b"", b"no image", encode(Image.fromarray(COLOUR))[:50]])
def test_damaged_file_is_named(content):
    with pytest.raises(ValueError, match="broken.png is not a usable image"):
        images.decode(content, "broken.png")


def test_other_formats_are_refused():
    with pytest.raises(ValueError, match="x.tiff is not a usable image"):
        images.decode(encode(Image.fromarray(GREY), "TIFF"), "x.tiff")


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
