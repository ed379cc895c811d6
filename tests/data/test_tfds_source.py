import io
import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from icm_jax.data import Splits, bundled, tfds_source


def png(image):
    """A PNG file: an array would be encoded by TFDS, with TensorFlow."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    buffer.seek(0)
    return buffer


def prepare(builder_class, data_dir):
    """Has TFDS itself write the data set, as `tfds build` does."""
    builder = builder_class(data_dir=data_dir, file_format="array_record")
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    builder.download_and_prepare(download_config=config)
    return str(data_dir)


@pytest.fixture(scope="module")
def mnist():
    """The first 700 and 300 images of MNIST, in the order of publication."""
    train, test = bundled.load("mnist")
    return Splits(train.take(np.arange(700)), test.take(np.arange(300)))


@pytest.fixture(scope="module")
def mnist_dir(mnist, tmp_path_factory):
    """Where TFDS has prepared those as its own `mnist`, with the keys that its MNIST has."""

    def splits(builder, _):
        return {name: builder._generate_examples(name) for name in ("train", "test")}

    def examples(_, split):
        images, labels, _ = getattr(mnist, split)
        for i, (image, label) in enumerate(zip(images[..., 0], labels.tolist(), strict=True)):
            yield i, {"image": png(image), "label": label}

    builder_class = tfds.image_classification.MNIST
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builder_class, "_split_generators", splits)
        patch.setattr(builder_class, "_generate_examples", examples)
        return prepare(builder_class, tmp_path_factory.mktemp("tfds"))


class ToyFaces(tfds.core.GeneratorBasedBuilder):
    """Colour images of several sizes, in order; no label that is a number; no split `test`."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "smiles": {"often": np.bool_},
            "label": tfds.features.Text(),
            "corners": tfds.features.Tensor(shape=(2,), dtype=np.float32),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), disable_shuffling=True
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(5), "validation": self._generate_examples(1)}

    def _generate_examples(self, count):
        for i in range(count):
            yield (
                i,
                {
                    "image": png(np.full((8, 8 + i, 3), 10 * i, np.uint8)),
                    "smiles": {"often": i % 2 == 1},
                    "label": f"face {i}",
                    "corners": [0, 1],
                },
            )


class ToyNumbers(tfds.core.GeneratorBasedBuilder):
    """No image, and no split to test on."""

    VERSION = tfds.core.Version("1.0.0")
    SPLITS = ("train", "test")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict({"label": np.int64})
        )

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples() for name in self.SPLITS}

    def _generate_examples(self):
        yield 0, {"label": 0}


def test_mnist_is_the_same_from_either_source(mnist, mnist_dir):
    for found, expected in zip(tfds_source.load("mnist", mnist_dir), mnist, strict=True):
        np.testing.assert_array_equal(found.images, expected.images)
        np.testing.assert_array_equal(found.labels, expected.labels)
        assert found.images.dtype == np.uint8
        assert found.labels.dtype == np.int32
        assert found.attributes == {}


def test_size_resizes(mnist_dir):
    assert tfds_source.load("mnist", mnist_dir, size=14).test.images.shape == (300, 14, 14, 1)


def test_the_home_in_a_path_is_found(mnist_dir, monkeypatch):
    monkeypatch.setenv("HOME", mnist_dir)
    assert tfds_source.load("mnist", "~").test.images.shape == (300, 28, 28, 1)


def test_reading_is_quiet(mnist_dir):
    # In a process of its own, because TFDS gives some advice only once.
    code = f"from icm_jax.data import tfds_source; tfds_source.load('mnist', {mnist_dir!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_order_of_the_whole_mnist():
    class Source:
        def __init__(self, count):
            self.count = count

        def __len__(self):
            return self.count

        class dataset_info:
            disable_shuffling = False

    # The labels with which TFDS's MNIST begins wherever it is prepared.
    first = {"train": [4, 1, 0, 7, 8, 1, 2, 7, 1, 6], "test": [2, 0, 4, 8, 7, 6, 0, 6, 3, 1]}
    for name, dataset in bundled.load("mnist")._asdict().items():
        order = tfds_source.published_order(Source(len(dataset.labels)), name)
        stored = np.empty_like(dataset.labels)
        stored[order] = dataset.labels
        assert stored[:10].tolist() == first[name]


def test_attributes_and_validation_split(tmp_path):
    data_dir = prepare(ToyFaces, tmp_path)
    train, test = tfds_source.load("toy_faces", data_dir, size=8)
    assert train.images.shape == (5, 8, 8, 3)
    assert train.images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]
    assert train.labels.tolist() == [0] * 5
    assert set(train.attributes) == {"label", "smiles/often"}
    assert train.attributes["smiles/often"].tolist() == [False, True, False, True, False]
    assert train.attributes["label"].tolist() == [f"face {i}" for i in range(5)]
    assert len(test.labels) == 1
    with pytest.raises(ValueError, match="data.size: 0 .*image 0 of train has 8x8 .*8x9"):
        tfds_source.load("toy_faces", data_dir)


def test_no_image(tmp_path):
    with pytest.raises(ValueError, match=r"data.name: 'toy_numbers' has the features \['label'\]"):
        tfds_source.load("toy_numbers", prepare(ToyNumbers, tmp_path))


def test_no_split_to_test_on(tmp_path, monkeypatch):
    monkeypatch.setattr(ToyNumbers, "SPLITS", ("train",))
    with pytest.raises(ValueError, match=r"data.name: 'toy_numbers' has the splits \['train'\]"):
        tfds_source.load("toy_numbers", prepare(ToyNumbers, tmp_path))


def test_damaged_file(tmp_path):
    data_dir = prepare(ToyFaces, tmp_path)
    (path,) = tmp_path.glob("toy_faces/1.0.0/*train*")
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(20) + content[120:])
    with pytest.raises(ValueError, match="data.name: the split 'train' of 'toy_faces' is damaged"):
        tfds_source.load("toy_faces", data_dir, size=8)


def follow(advice, monkeypatch):
    """Runs the command of Python in a message; what it imports TensorFlow for is not needed."""
    (command,) = re.findall("run `pip install tensorflow && (.*?)`", advice)
    python, flag, code = shlex.split(command)
    assert (python, flag) == ("python", "-c")
    monkeypatch.setattr(tfds.core.utils.gcs_utils, "is_dataset_on_gcs", lambda _: False)
    exec(code, {})


@pytest.mark.parametrize("name", ["plain", "with 'both' \"quotes\" and $HOME"])
def test_not_prepared_says_what_to_do_and_that_works(name, tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_source, "_tensorflow_is_installed", lambda: False)
    data_dir = str(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="^data.name: 'toy_faces' is not prepared") as error:
        tfds_source.load("toy_faces", data_dir, size=8)
    assert str(error.value).endswith(", or use --config.data.source=folder")
    follow(str(error.value), monkeypatch)
    assert tfds_source.load("toy_faces", data_dir, size=8).train.images.shape == (5, 8, 8, 3)
    with pytest.raises(FileNotFoundError, match="'mnist' .* --config.data.source=bundled$"):
        tfds_source.load("mnist", data_dir)


@pytest.mark.parametrize("file_format", ["tfrecord", "riegeli"])
def test_another_format_says_what_to_do_and_that_works(file_format, tmp_path, monkeypatch):
    data_dir = prepare(ToyFaces, tmp_path / "a folder")
    # The folder is of that format by what its description says.
    (info,) = tmp_path.rglob("dataset_info.json")
    known = json.loads(info.read_text())
    info.write_text(json.dumps(known | {"fileFormat": file_format}))
    with pytest.raises(ValueError, match=f"'toy_faces' is prepared .* as {file_format}") as error:
        tfds_source.load("toy_faces", data_dir, size=8)
    assert "\n" not in str(error.value)
    follow(str(error.value), monkeypatch)
    (use,) = shlex.split(re.search("and use (.*)$", str(error.value))[1])
    folder = use.removeprefix("--config.data.dir=")
    assert folder == str(tmp_path / "a folder" / "array_record")
    images = tfds_source.load("toy_faces", folder, size=8).train.images
    assert images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]


def test_unknown_name(tmp_path):
    with pytest.raises(ValueError, match="data.name: 'mnits' is unknown to TFDS"):
        tfds_source.load("mnits", str(tmp_path))
