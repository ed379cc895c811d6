import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from icm_jax.systems.counterfactual.biased import procedural, textures


def write(root, objects, backgrounds, size=(150, 150)):
    """Folders of plain pictures: of the i-th by name red is i."""
    for folder, count in (("object", objects), ("background", backgrounds)):
        (root / folder).mkdir(parents=True)
        for i in range(count):
            picture = Image.new("RGB", size, (i, 200, 100 if folder == "object" else 50))
            picture.save(root / folder / f"{chr(97 + i)}_{9 - i}.png")
    return str(root)


def test_the_ith_picture_by_name_is_of_class_i(tmp_path):
    made = textures.load_textures(write(tmp_path, 10, 11), 10)
    assert set(made) == {"objects", "backgrounds"}
    for name, blue in (("objects", 100), ("backgrounds", 50)):
        assert made[name].shape == (10, 156, 156, 3) and made[name].dtype == np.uint8
        np.testing.assert_array_equal(made[name][:, 0, 0, 0], np.arange(10))
        assert (made[name][..., 1:] == [200, blue]).all()


def test_a_picture_becomes_150_pixels_in_a_reflected_margin(tmp_path):
    root = write(tmp_path, 1, 1, size=(305, 314))
    random = np.random.RandomState(0).randint(0, 256, (314, 305, 3)).astype(np.uint8)
    picture = Image.fromarray(random)
    picture.save(tmp_path / "object" / "a_9.png")
    Image.fromarray(random[:150, :150, 0]).save(tmp_path / "background" / "a_9.png")
    made = textures.load_textures(root, 1)
    resized = np.asarray(picture.resize((150, 150), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(made["objects"][0, 3:-3, 3:-3], resized)
    # The margin's pixels 0, 1, 2 are the picture's 3, 2, 1; the edge itself is not repeated.
    np.testing.assert_array_equal(made["objects"][0, :3, 3:-3], resized[[3, 2, 1]])
    np.testing.assert_array_equal(made["objects"][0, 3:-3, -3:], resized[:, [148, 147, 146]])
    grey = made["backgrounds"][0, 3:-3, 3:-3]
    np.testing.assert_array_equal(grey, np.repeat(random[:150, :150, :1], 3, -1))


def test_missing_and_damaged_pictures_are_told_of(tmp_path):
    root = write(tmp_path / "few", 10, 3)
    message = "few' has 3 images in its folder 'background'; 10 are needed, of which the i-th"
    with pytest.raises(ValueError, match=f"^data.textures: .*{message}"):
        textures.load_textures(root, 10)
    with pytest.raises(ValueError, match="has 0 images in its folder 'object'; 2 are"):
        textures.load_textures(str(tmp_path), 2)
    with pytest.raises(FileNotFoundError, match="^data.textures: .*nowhere' is neither a"):
        textures.load_textures(str(tmp_path / "nowhere"), 2)
    (tmp_path / "few" / "object" / "b_8.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="^data.textures: 'object/b_8.png' is not a usable image"):
        textures.load_textures(root, 3)


def test_crops_come_from_all_over_the_texture_of_the_class():
    # Pixels that say where they are: red the row, green the column, blue the texture.
    row, column = np.mgrid[:156, :156]
    places = np.stack(
        [np.stack([row, column, np.full_like(row, k)], -1) for k in (10, 20, 30)]
    ).astype(np.uint8)
    whose = jnp.arange(3000) % 3
    crop = jax.jit(textures.draw_crops, static_argnums=2)
    drawn = crop(places, whose, 8, jax.random.key(0))
    assert drawn.shape == (3000, 8, 8, 3) and drawn.dtype == jnp.float32
    pixels = np.rint((np.asarray(drawn) + 1) * 127.5).astype(int)
    assert (pixels[..., 2] == 10 * (1 + np.asarray(whose))[:, None, None]).all()
    corner = pixels[:, 0, 0, :2]
    for axis, steps in ((0, np.arange(8)[:, None]), (1, np.arange(8)[None])):
        np.testing.assert_array_equal(
            pixels[..., axis], corner[:, axis, None, None] + np.broadcast_to(steps, (8, 8))
        )
        # Corners 0 to 148, each of them 20 times.
        assert corner[:, axis].min() == 0 and corner[:, axis].max() == 148
        assert len(np.unique(corner[:, axis])) == 149
    assert abs(np.corrcoef(corner.T)[0, 1]) < 0.06
    again, other = (crop(places, whose, 8, jax.random.key(seed)) for seed in (0, 1))
    np.testing.assert_array_equal(drawn, again)
    assert (drawn != other).any((1, 2, 3)).mean() > 0.99


@pytest.mark.parametrize("make", [procedural.make_veined, procedural.make_striped])
def test_made_textures_are_told_apart_by_a_small_piece(make):
    made = make(150, 10)
    assert made.shape == (10, 150, 150, 3) and made.dtype == np.uint8
    np.testing.assert_array_equal(made, make(150, 10))
    np.testing.assert_array_equal(make(150, 4), made[:4])
    pieces = made.reshape(10, 5, 30, 5, 30, 3).mean((2, 4)).reshape(10, 25, 3)
    centres = pieces.mean(1)
    distance = np.linalg.norm(pieces[:, :, None] - centres, axis=-1)
    np.testing.assert_array_equal(distance.argmin(-1), np.repeat(np.arange(10), 25).reshape(10, 25))
    # It is not by colour alone: each has a pattern.
    assert (made.std((1, 2)).max(-1) > 25).all()


def test_the_two_made_kinds_differ_most_within_a_class():
    made = textures.load_textures("", 10)
    objects, backgrounds = (made[name].mean((1, 2)) for name in ("objects", "backgrounds"))
    assert made["objects"].shape == (10, 156, 156, 3)
    assert (np.linalg.norm(objects - backgrounds, axis=-1) > 60).all()
