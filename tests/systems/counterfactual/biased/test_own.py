import jax
import numpy as np
import pytest
from PIL import Image
from systems.counterfactual.biased.digits import SCHEMA, settings
from systems.counterfactual.generation.tiny import squares

from icm_jax.schema import validate
from icm_jax.systems.counterfactual import biased


@pytest.fixture
def folder(tmp_path):
    """Two classes, grey 51 and 255, four pictures each, of two sizes."""
    for label, grey in (("cat", 51), ("dog", 255)):
        for i in range(4):
            path = tmp_path / ("test" if i == 3 else "train") / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (40 + i, 50), grey).save(path)
    return tmp_path


def test_images_of_a_folder_are_taken_as_they_are(folder):
    data = settings(set="folder", source="folder", dir=str(folder), size=64)
    made = biased.make(data, biased.load(data), 5)
    assert (made.classes, made.size, made.names) == (2, 64, ("cat", "dog"))
    # In the mixed order of `set_apart`.
    np.testing.assert_array_equal(made.train.labels, [1, 0, 1, 0, 1, 0])
    np.testing.assert_array_equal(made.test.labels, [1, 0])
    assert made.train.attributes == {} and made.train.parts["image"].dtype == np.uint8
    images = np.asarray(made.render(made.train.parts, made.shared, jax.random.key(0)))
    assert images.shape == (6, 64, 64, 3) and images.dtype == np.float32
    # 51 of 255 is .2, and 2 * .2 - 1 = -.6.
    value = np.where(made.train.labels == 0, -0.6, 1.0)[:, None, None, None]
    np.testing.assert_allclose(images, np.broadcast_to(value, images.shape), atol=1e-6)


def test_images_of_another_size_are_refused(folder):
    data = settings(set="folder", source="folder", dir=str(folder), size=64)
    splits = biased.load(data)
    data.size = 32
    with pytest.raises(ValueError, match="^data.size: 32 is not allowed; the images have 64x64"):
        biased.make(data, splits, 5)


def test_images_of_a_folder_are_put_there_once_for_all_seeds(folder):
    data = settings(set="folder", source="folder", dir=str(folder), size=64)
    splits = biased.load(data)
    shared, own = biased.given([biased.make(data, splits, seed) for seed in (0, 1)])
    assert shared["parts"]["image"] is splits.train.images and own == [{}, {}]
    assert shared["labels"] is splits.train.labels and shared["shared"] == {}
    made = biased.make(data, splits, 0)
    wanted = np.array([np.flatnonzero(splits.train.labels == label)[0] for label in (1, 0)])
    images, labels = biased.take_images(made, shared, wanted, jax.random.key(0))
    # A dog is white, a cat -.6, as above.
    np.testing.assert_array_equal(labels, [1, 0])
    np.testing.assert_allclose(images[:, 0, 0, 0], [1, -0.6], atol=1e-6)


def test_colours_are_each_seed_s_own():
    splits = squares()
    made = [biased.make(settings(), splits, seed) for seed in (0, 1)]
    shared, own = biased.given(made)
    assert set(shared) == {"shared", "labels"}
    assert [of["parts"] is one.train.parts for of, one in zip(own, made, strict=True)] == [True] * 2


def test_digits_of_a_folder_keep_their_size_until_they_grow(folder):
    for path in folder.rglob("*.png"):
        image = np.asarray(Image.open(path))[:28, :28].copy()
        image[3:, :] = 0
        Image.fromarray(image).save(path)
    data = settings(source="folder", dir=str(folder), variance=0.0)
    splits = biased.load(data)
    assert splits.train.images.shape == (6, 28, 28, 1) and data.size == 32
    made = biased.make(data, splits, 0)
    images = np.asarray(made.render(made.train.parts, {}, jax.random.key(0)))
    cats, dogs = (images[splits.train.labels == label] for label in (0, 1))
    # Grey 51 is no ink; of 255 three rows, which Pillow leaves three: 0, 1, 2, then 3.
    assert (cats == -1).all()
    teal = np.array([-1, 128 / 255 * 2 - 1, 128 / 255 * 2 - 1], np.float32)
    np.testing.assert_allclose(dogs[:, :3], np.broadcast_to(teal, (3, 3, 32, 3)), atol=1e-6)
    assert (dogs[:, 3:] == -1).all()


def test_drawings_are_made_like_digits(folder):
    for path in folder.rglob("*.png"):
        Image.open(path).resize((105, 105)).save(path)
    data = settings(source="folder", dir=str(folder), box=24)
    assert biased.load(data).train.images.shape == (6, 32, 32, 1)


def test_settings_that_do_not_go_together_are_refused():
    config = SCHEMA.defaults()
    validate(config, SCHEMA)
    biased.check_data(config.data)
    config.data.size = 31
    with pytest.raises(ValueError, match="^data.size: 31 is not allowed; it must be .*32 or 64$"):
        validate(config, SCHEMA)
    with pytest.raises(ValueError, match="^data.size: 64 is not allowed with data.set 'wildlife'"):
        biased.check_data(settings(set="wildlife", size=64))
    biased.check_data(settings(set="folder", size=64))
