import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from icm_jax.data import Dataset, Splits
from icm_jax.systems.stable_features.channels import UNKNOWN, noisy, tasks, to_channels

FIELDS = {
    "task": "same",
    "assignment": "",
    "label_noise": 0.25,
    "channel_noise": 0.1,
    "test_channel_noise": 0.9,
    "validation": 100,
    "source_labels": (0, 2, 4, 6, 8),
    "target_labels": (1, 3, 5, 7, 9),
    "environments": (0.1, 0.2),
}


def splits(train=6000, test=2000):
    """Image i is a single pixel i mod 256, labels are 0, 1, ..., 9, 0, 1, ..."""

    def dataset(count):
        pixels = (np.arange(count) % 256).astype(np.uint8).reshape(count, 1, 1, 1)
        return Dataset(pixels, (np.arange(count) % 10).astype(np.int32))

    return Splits(dataset(train), dataset(test))


def config(**changes):
    return ConfigDict(FIELDS | changes)


def share(a, b):
    return float(np.mean(np.asarray(a) == np.asarray(b)))


def test_an_image_lies_in_its_channel_and_nowhere_else():
    images = jnp.array([[[[255], [51]]], [[[0], [102]]]], jnp.uint8)  # [2, 1, 2, 1]
    made = to_channels(images, jnp.array([2, 0]), 3)
    expected = np.zeros((2, 1, 2, 3), np.float32)
    expected[0, 0, :, 2], expected[1, 0, :, 0] = [1.0, 0.2], [0.0, 0.4]
    np.testing.assert_allclose(made, expected, rtol=1e-6)
    assert made.dtype == jnp.float32


def test_noise_goes_to_all_other_labels_alike():
    labels = np.zeros(40_000, np.int32)
    made = noisy(labels, 5, 0.2, np.random.RandomState(0))
    shares = np.bincount(made, minlength=5) / len(made)
    np.testing.assert_allclose(shares, [0.8, 0.05, 0.05, 0.05, 0.05], atol=0.01)
    np.testing.assert_array_equal(noisy(labels, 5, 0.0, np.random.RandomState(0)), labels)


def test_ten_channels_have_the_published_process():
    (task,) = tasks(config(), splits(), [0])
    train, seen = task.train, task.train.attributes
    assert (task.classes, task.channels, task.source, task.target) == (10, 10, (0, 1), (0, 1))
    # Noise 0.25; channel 0.9 of the time the given label, and of the true one 0.75 * 0.9 and,
    # of the others, 0.25 * 0.1 / 9.
    assert abs(share(seen["given"], train.labels) - 0.75) < 0.02
    assert abs(share(seen["channel"], seen["given"]) - 0.9) < 0.015
    assert abs(share(seen["channel"], train.labels) - (0.675 + 0.025 / 9)) < 0.02
    assert np.bincount(seen["environment"]).tolist() == [3000, 3000]
    assert len(task.validation.labels) == 100 and len(task.test.labels) == 1900
    assert abs(share(task.test.attributes["channel"], task.test.labels) - 0.1) < 0.03
    np.testing.assert_array_equal(task.test.images[0], splits().test.images[100])


def test_the_seed_decides_and_images_are_shared():
    made = splits()
    first, second = tasks(config(), made, [0, 1])
    (again,) = tasks(config(), made, [0])
    assert first.train.images is second.train.images is made.train.images
    for name in ("given", "channel", "environment"):
        one, other = first.train.attributes[name], second.train.attributes[name]
        assert (one != other).any()
        np.testing.assert_array_equal(one, again.train.attributes[name])


@pytest.fixture
def file(tmp_path):
    rng, parts = np.random.RandomState(1), splits(50, 20)
    arrays = {
        "train_given_label": rng.randint(0, 10, 50).astype(np.int8),
        "train_channel": rng.randint(0, 10, 50).astype(np.int8),
        "test_channel": rng.randint(0, 10, 20).astype(np.int8),
        "val_given_label": np.where(np.arange(20) < 7, 3, -1).astype(np.int8),
        "test_split": (np.arange(20) >= 7).astype(np.int8),
    }
    np.savez(tmp_path / "assignment.npz", **arrays)
    return parts, arrays, tmp_path / "assignment.npz"


def test_an_assignment_is_read_as_it_stands(file):
    parts, arrays, path = file
    (task,) = tasks(config(assignment=str(path)), parts, [0])
    np.testing.assert_array_equal(task.train.attributes["given"], arrays["train_given_label"])
    np.testing.assert_array_equal(task.train.attributes["channel"], arrays["train_channel"])
    assert task.validation.attributes["given"].tolist() == [3] * 7
    assert set(task.test.attributes["given"].tolist()) == {UNKNOWN}
    np.testing.assert_array_equal(task.test.attributes["channel"], arrays["test_channel"][7:])
    np.testing.assert_array_equal(task.test.images, parts.test.images[7:])


def test_an_assignment_that_does_not_fit_is_named(file):
    parts, arrays, path = file
    with pytest.raises(
        ValueError, match=r"train_given_label .* \[50\]; the train split needs \[60\]"
    ):
        tasks(config(assignment=str(path)), splits(60, 20), [0])
    np.savez(path, train_channel=arrays["train_channel"])
    with pytest.raises(ValueError, match="data.assignment: .* lacks train_given_label"):
        tasks(config(assignment=str(path)), parts, [0])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "train_channel",
            lambda a: a + 1,
            r"is 10 for image .* 0 to 9, counted from 0",
        ),
        ("test_channel", lambda a: a + 1, "is 10 for image .* 0 to 9"),
        ("train_given_label", lambda a: a - 1, "is -1 for image .* 0 to 9"),
        ("val_given_label", lambda a: a - 1, r"is -2 for image 7; .* -1 to 9, .* \(-1: none\)"),
        ("test_split", lambda a: a + 1, "is 2 for image 7; it must be 0 for validation or 1 to"),
        ("train_channel", lambda a: a.astype(float), r"is of float64; .* integers, which .astype"),
        ("test_channel", lambda a: np.full(20, np.nan), "is of float64"),
        ("train_given_label", lambda a: a.astype(str), "is of <U4"),
        ("train_channel", lambda a: a.astype(np.int64) + 2**32, "is 42949673.* for image 0"),
        ("test_channel", lambda a: a[:, None], r"has the shape \[20, 1\]; .* needs \[20\]"),
    ],
)
def test_an_assignment_with_wrong_numbers_is_refused(name, change, message, file):
    parts, arrays, path = file
    np.savez(path, **(arrays | {name: change(arrays[name])}))
    with pytest.raises(
        ValueError, match=f"^data.assignment: {name} in '.*assignment.npz' {message}"
    ):
        tasks(config(assignment=str(path)), parts, [0])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"test_split": np.zeros(20, int)}, "no image has test_split 1, to test on"),
        ({"test_split": np.ones(20, int)}, "no image has test_split 0, for validation"),
        ({"val_given_label": np.full(20, -1)}, "val_given_label is -1 for image 0, whose"),
    ],
)
def test_an_assignment_without_one_part_is_refused(changed, message, file):
    parts, arrays, path = file
    np.savez(path, **(arrays | changed))
    with pytest.raises(ValueError, match=f"data.assignment: {message}"):
        tasks(config(assignment=str(path)), parts, [0])


def test_a_file_that_is_no_assignment_is_refused_in_a_line(file):
    parts, arrays, path = file
    whole = path.read_bytes()
    offset = whole.index(b"NUMPY") + 140  # within the numbers of the first array
    folder = path.parent
    (folder / "half.npz").write_bytes(whole[: len(whole) // 2])
    (folder / "damaged.npz").write_bytes(whole[:offset] + b"\xff" + whole[offset + 1 :])
    (folder / "labels.csv").write_text("1,2\n3,4\n")
    (folder / "empty.npz").write_bytes(b"")
    np.save(folder / "labels.npy", arrays["train_channel"])
    np.savez(folder / "objects.npz", **(arrays | {"train_channel": np.array([{}] * 50)}))
    for name, error, message in (
        ("labels.npy", ValueError, "is no .npz file, or not all of one"),
        ("half.npz", ValueError, "is no .npz file, or not all of one"),
        ("labels.csv", ValueError, "is no .npz file, or not all of one"),
        ("empty.npz", ValueError, "is no .npz file, or not all of one"),
        ("damaged.npz", ValueError, "cannot be read"),
        ("objects.npz", ValueError, "cannot be read"),
        ("", FileNotFoundError, "is a folder"),
        ("nowhere.npz", FileNotFoundError, "does not exist"),
    ):
        with pytest.raises(error, match=f"^data.assignment: '.*{name}' {message}") as raised:
            tasks(config(assignment=str(folder / name)), parts, [0])
        assert "must be an .npz, as numpy.savez writes it, of train_" in str(raised.value)
        assert "\n" not in str(raised.value)
    (folder / "pointer.npz").write_text("version https://git-lfs.github.com/spec/v1\nsize 9\n")
    with pytest.raises(ValueError, match="pointer.npz' is a pointer of Git LFS .* run `git lfs"):
        tasks(config(assignment=str(folder / "pointer.npz")), parts, [0])


def test_a_home_in_the_path_is_found(file, monkeypatch):
    parts, arrays, path = file
    monkeypatch.setenv("HOME", str(path.parent))
    (task,) = tasks(config(assignment="~/assignment.npz"), parts, [0])
    np.testing.assert_array_equal(task.train.attributes["channel"], arrays["train_channel"])


def test_labels_that_cannot_be_learned_are_refused():
    whole = splits(600, 200)
    nine = whole.train.take(whole.train.labels < 9)
    with pytest.raises(ValueError, match="data.name: the label 9 is in the test split alone"):
        tasks(config(), Splits(nine, whole.test), [0])
    without_3 = whole.train.take(whole.train.labels != 3)
    with pytest.raises(ValueError, match="data.name: the label 3 is in the test split alone"):
        tasks(config(), Splits(without_3, whole.test), [0])
    for label in (0, 4):
        one = Splits(*(split.take(split.labels == label) for split in whole))
        with pytest.raises(ValueError, match=f"data.name: all train images have the label {label}"):
            tasks(config(validation=2), one, [0])


def test_labels_of_no_class_are_refused():
    whole = splits(600, 200)
    with pytest.raises(ValueError, match="data.name: there is no train image"):
        tasks(config(), whole._replace(train=whole.train.take(np.arange(0))), [0])
    less = whole.train._replace(labels=whole.train.labels - 1)
    with pytest.raises(ValueError, match="data.name: the label -1 is negative"):
        tasks(config(), whole._replace(train=less), [0])


def test_something_is_left_to_test_on():
    with pytest.raises(ValueError, match="data.validation: 200 leaves .* has 200, so it must be"):
        tasks(config(validation=200), splits(600, 200), [0])
    (task,) = tasks(config(validation=199), splits(600, 200), [0])
    assert len(task.test.labels) == 1


def test_a_transfer_has_all_its_labels():
    parts = splits(600, 200)
    order = np.argsort(parts.train.labels, kind="stable")
    with pytest.raises(ValueError, match="data.target_labels: 7 has no image in the first half"):
        tasks(config(task="transfer"), parts._replace(train=parts.train.take(order)), [0])
    with pytest.raises(ValueError, match="data.target_labels: the test split has 1 image of them"):
        tasks(config(task="transfer"), parts._replace(test=parts.test.take(np.arange(2))), [0])


def test_transfer_goes_from_even_to_odd():
    (task,) = tasks(config(task="transfer"), splits(), [0])
    seen = task.train.attributes
    assert (task.classes, task.channels, task.source, task.target) == (5, 5, (0, 1), (2,))
    # 3000 even digits make two source environments; of 3000 odd ones half are the target's.
    assert np.bincount(seen["environment"]).tolist() == [1500, 1500, 1500]
    for environment, noise in enumerate((0.1, 0.2, 0.1)):
        here = seen["environment"] == environment
        agree = share(seen["channel"][here], seen["given"][here])
        assert abs(agree - (1 - noise)) < 0.03, environment
    even = seen["environment"] < 2
    # Digits 0, 2, 4, ... are 0, 1, 2, ..., and so are 1, 3, 5, ...: image i holds i mod 256.
    np.testing.assert_array_equal(task.train.labels[even][:5], range(5))
    np.testing.assert_array_equal(task.train.images[even][:3, 0, 0, 0], [0, 2, 4])
    np.testing.assert_array_equal(task.train.images[~even][:3, 0, 0, 0], [1, 3, 5])
    parts = {"validation": (task.validation, 0.9), "test": (task.test, 0.1)}
    for part, agree in parts.values():
        assert len(part.labels) == 500
        assert abs(share(part.attributes["channel"], part.attributes["given"]) - agree) < 0.05
        assert abs(share(part.attributes["given"], part.labels) - 0.75) < 0.06


def test_images_must_be_grey():
    colour = splits(20, 20)
    colour = Splits(*(s._replace(images=np.repeat(s.images, 3, -1)) for s in colour))
    with pytest.raises(ValueError, match=r"images of \[1, 1, 3\] are not grey"):
        tasks(config(), colour, [0])


def test_a_class_without_images_is_named():
    with pytest.raises(ValueError, match="data.target_labels: 11 has no image"):
        tasks(config(task="transfer", target_labels=(1, 11)), splits(), [0])
