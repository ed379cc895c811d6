import types

import numpy as np
import pytest
from PIL import Image

from icm_jax.data import wheels
from icm_jax.systems.risk import faces

SIZE = 32


def config(**changes):
    fields = {
        "source": "bundled",
        "name": "orl",
        "dir": "",
        "non_faces": "bundled",
        "crops": 3,
        "size": SIZE,
        "quality": 90,
    }
    return types.SimpleNamespace(**(fields | changes))


@pytest.fixture(scope="module")
def orl():
    return faces.load_faces(config())


@pytest.fixture
def colour(tmp_path, monkeypatch):
    """A folder of four people in colour, two images each; the cache is elsewhere."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    draw = np.random.RandomState(0)
    for person in ("Ada", "Bob", "Cy", "Di"):
        (tmp_path / "lfw" / person).mkdir(parents=True)
        for number in (1, 2):
            pixels = draw.randint(0, 256, (70, 80, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"lfw/{person}/{person}_000{number}.png")
    return config(source="faces", name="lfw", dir=str(tmp_path / "lfw"))


def test_faces_are_orl_s_and_come_first(orl):
    assert [np.bincount(split.labels).tolist() for split in orl] == [[33, 320], [15, 80]]
    for split in orl:
        assert split.images.shape == (len(split.labels), SIZE, SIZE, 1)
        assert split.images.dtype == np.uint8 and split.labels.dtype == np.int32
        assert (np.diff(split.labels) <= 0).all()
        face = split.labels == 1
        assert (split.attributes["person"] != "").tolist() == face.tolist()
        assert (split.attributes["picture"] == "").tolist() == face.tolist()


def test_no_person_and_no_picture_is_in_both_splits(orl):
    for attribute, count in (("person", 40), ("picture", 16)):
        train, test = (set(split.attributes[attribute].tolist()) - {""} for split in orl)
        assert not train & test and len(train | test) == count


def test_crops_are_always_the_same_and_no_two_alike(orl):
    again = faces.load_faces(config())
    for split, other in zip(orl, again, strict=True):
        np.testing.assert_array_equal(split.images, other.images)
        crops = split.images[split.labels == 0]
        assert len(np.unique(crops.reshape(len(crops), -1), axis=0)) == len(crops)


def test_crops_lie_in_the_picture_and_are_of_many_sizes():
    rows, columns = np.indices((100, 400))
    picture = np.stack([rows, columns // 2, columns % 2], -1).astype(np.uint8)
    crops = faces.draw_crops(picture, 400, 0)
    sides = np.array([crop.shape[:2] for crop in crops])
    assert (sides[:, 0] == sides[:, 1]).all() and sides.min() >= 48 and sides.max() <= 100
    # As many below as above the geometric mean of 48 and 100.
    assert 150 < (sides[:, 0] < (48 * 100) ** 0.5).sum() < 250
    for crop in crops[:20]:
        top, left = int(crop[0, 0, 0]), 2 * int(crop[0, 0, 1]) + int(crop[0, 0, 2])
        side = len(crop)
        np.testing.assert_array_equal(crop, picture[top : top + side, left : left + side])
    assert faces.draw_crops(picture[:20, :30], 1, 0)[0].shape == (20, 20, 3)


def test_a_box_is_averaged():
    # Each square of 2 x 2 pixels becomes their mean: 10, 20, 30, 40 -> 25.
    image = np.tile(np.uint8([[10, 20], [30, 40]]), (32, 32))[..., None]
    np.testing.assert_array_equal(faces.prepare([image], 1, 32, 0), np.full((1, 32, 32, 1), 25))
    # What has 32 pixels a side stays as it is.
    pixels = np.random.RandomState(0).randint(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    np.testing.assert_array_equal(faces.prepare(pixels, 3, 32, 0), pixels)


def test_both_classes_go_through_one_pipeline(tmp_path, colour):
    # Non-faces that are the very images of faces cannot be told from them.
    read = faces.data.load(types.SimpleNamespace(**vars(colour) | BARE))
    images = np.concatenate([split.images for split in read])
    np.savez(tmp_path / "same.npz", images=images)
    colour.non_faces = str(tmp_path / "same.npz")
    splits = faces.load_faces(colour)
    pixels = np.concatenate([split.images for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    one, other = (sorted(image.tobytes() for image in pixels[labels == label]) for label in (0, 1))
    assert one == other and len(one) == 8


BARE = {"size": faces.READ, "invert": False, "box": 0, "thicken": 0}


def test_all_are_compressed(colour):
    raw, compressed = (
        faces.load_faces(colour_with(colour, quality=quality)).train for quality in (0, 50)
    )
    changed = (raw.images != compressed.images).any((1, 2, 3))
    assert changed[raw.labels == 1].all() and changed[raw.labels == 0].all()


def colour_with(colour, **changes):
    return types.SimpleNamespace(**vars(colour) | changes)


def test_faces_in_colour_stand_against_pictures_in_colour(colour):
    train, test = faces.load_faces(colour)
    assert train.images.shape[-1] == test.images.shape[-1] == 3
    pictures = {*train.attributes["picture"], *test.attributes["picture"]} - {""}
    assert pictures == {
        *("chelsea.png", "china.jpg", "coffee.png", "flower.jpg", "hubble_deep_field.jpg"),
        *("ihc.png", "motorcycle_left.png", "retina.jpg", "rocket.jpg"),
    }


def test_pictures_in_colour_become_grey_where_faces_are(orl, tmp_path):
    images = np.zeros((20, 32, 32, 3), np.uint8)
    images[..., 1] = 100
    np.savez(tmp_path / "green.npz", images=images)
    splits = faces.load_faces(config(non_faces=str(tmp_path / "green.npz"), quality=0))
    for split in splits:
        # Green is 0.587 of luminance.
        assert set(split.images[split.labels == 0].ravel().tolist()) == {59}
    # A tenth of 20 is tested on.
    assert [int((split.labels == 0).sum()) for split in splits] == [18, 2]


def test_folder_of_non_faces(tmp_path):
    for i in range(5):
        Image.new("L", (40 + i, 50), 10 * i).save(tmp_path / f"{i}.png")
    splits = faces.load_faces(config(non_faces=str(tmp_path)))
    pictures = [set(split.attributes["picture"].tolist()) - {""} for split in splits]
    assert [len(each) for each in pictures] == [4, 1]
    assert pictures[0] | pictures[1] == {f"{i}.png" for i in range(5)}


def test_numbers_of_faces_are_minus_one_for_non_faces(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "utk").mkdir()
    for age in range(20, 30):
        Image.new("RGB", (40, 40), (age, 0, 0)).save(tmp_path / f"utk/{age}_0_1_2017.png")
    splits = faces.load_faces(config(source="faces", name="utkface", dir=str(tmp_path / "utk")))
    ages = np.concatenate([split.attributes["age"] for split in splits])
    assert sorted(ages[ages >= 0].tolist()) == list(range(20, 30)) and ages.min() == -1
    bands = splits.train.attributes["age_band"]
    assert set(bands[splits.train.labels == 0].tolist()) == {""}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"size": 4}, "data.size: 4 is not allowed; choose from 8 to 1024"),
        ({"quality": 100}, "data.quality: 100 is not allowed; choose from 0 to 95"),
        ({"crops": 0}, "data.crops: 0 is not allowed; choose from 1"),
        ({"name": "olr"}, "data.name: 'olr' is unknown"),
    ],
)
def test_fields_that_are_not_allowed(changes, message):
    with pytest.raises(ValueError, match=message):
        faces.load_faces(config(**changes))


def test_non_faces_that_cannot_be_used(tmp_path):
    where = tmp_path / "no.npz"

    def message(kind=ValueError):
        with pytest.raises(kind, match="^data.non_faces: .*no.npz'") as error:
            faces.load_faces(config(non_faces=str(where)))
        return str(error.value)

    assert "there is no file" in message(FileNotFoundError)
    where.write_bytes(b"PK\3\4 and no more")
    assert "cannot be read" in message()
    np.savez(where, pixels=np.zeros(3))
    assert "has no array images; it has pixels" in message()
    np.savez(where, images=np.zeros((3, 32, 32, 3)))
    assert "has images float64 (3, 32, 32, 3); uint8 [N, H, W, C]" in message()
    np.savez(where, images=np.zeros((1, 32, 32, 3), np.uint8))
    assert "has 1 images; at least 2" in message()
    with pytest.raises(FileNotFoundError, match="data.non_faces: .* neither a directory nor a zip"):
        faces.load_faces(config(non_faces=str(tmp_path / "none")))


def test_wheel_not_installed(monkeypatch):
    locate = wheels.locate
    monkeypatch.setattr(
        wheels,
        "locate",
        lambda package, *rest: locate(package.replace("scikit-image", "scikit-gone"), *rest),
    )
    message = "data.non_faces: 'bundled' reads .*pip install scikit-gone`.* another data.non_faces"
    with pytest.raises(FileNotFoundError, match=message):
        faces.load_faces(config())
