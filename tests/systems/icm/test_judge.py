"""The judge that tells canonical from transformed images."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny

from icm_jax import experiment, training
from icm_jax.data import Dataset, Splits
from icm_jax.networks.compute import Compute
from icm_jax.networks.registry import CLASSIFIERS
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.images import build_images
from icm_jax.systems.icm.judge import digests as digests_of
from icm_jax.systems.icm.judge import make_canonical_task, make_classifier, make_judge


def config():
    """The judge of images that are inverted, a batch of 9."""
    c = tiny.icm()
    c.mechanisms, c.experts.count = ("invert",), 1
    c.initialization.steps, c.competition.steps = 0, 2
    c.evaluation.every = c.log.every = c.competition.restart.every = 2
    c.classifier.update({"learns": "canonical", "batch_size": 9, "steps": 40})
    c.classifier.learning_rate = 1e-2
    return c


def faces():
    """12x12 images of two lights, bright the canonical one; the labels say nothing."""

    def dataset(count):
        light = np.arange(count) % 2
        images = np.random.RandomState(0).randint(0, 40, (count, 12, 12, 1))
        images = (images + 180 * light[:, None, None, None]).astype(np.uint8)
        return Dataset(images, np.zeros(count, np.int32), {"light": light})

    return Splits(dataset(40), dataset(12))


def of_light(c):
    c.data.groups = {"attribute": "light", "canonical": "1", "transformed": ("0",)}
    return c


@pytest.mark.parametrize("learns", ["labels", "canonical"])
@pytest.mark.parametrize("kind", ["conv", "faces"])
def test_it_computes_as_the_config_says(learns, kind):
    made = {}
    for precision in ("float32", "bfloat16"):
        c, splits = config(), tiny.splits()
        c.classifier.update({"learns": learns, "kind": kind})
        c.precision = precision
        judge = make_judge(c, build_images(c, splits), splits)
        system = judge.train(0)
        data, state = jax.eval_shape(lambda s=system: (s.given, s.init(jax.random.key(0))))
        images, key = jax.ShapeDtypeStruct((3, 12, 12, 1), jnp.float32), jax.random.key(1)
        learned = jax.make_jaxpr(system.phases[0].step)(state, data, key)
        asked = jax.make_jaxpr(judge.passes)(state, images, jnp.zeros(3, jnp.int32))
        made[precision] = ["bf16[" in str(found) for found in (learned, asked)]
    assert made == {"float32": [False, False], "bfloat16": [True, True]}


def test_its_convolutions_are_those_of_the_config():
    c = config()
    c.convolution = "matmul"
    classifier = make_classifier(c, 2, "devices")
    assert classifier.network.compute == classifier.outside.compute == Compute("float32", "matmul")
    assert (classifier.network.axis_name, classifier.outside.axis_name) == ("devices", None)


@pytest.mark.parametrize("learns", ["labels", "canonical"])
def test_judges_that_compute_differently_are_not_shared(learns):
    digests = set()
    for field, value in (("seed", 0), ("precision", "bfloat16"), ("convolution", "matmul")):
        c = config()
        c.classifier.learns = learns
        c[field] = value
        digests |= set(digests_of(c).values())
    assert len(digests) == 3
    # What experts compute for themselves does not count.
    c = config()
    c.classifier.learns = learns
    c.experts.filters = 7
    assert set(digests_of(c).values()) < digests


def test_a_batch_is_canonical_and_transformed_images_in_turns():
    c, splits = config(), tiny.splits()
    images = build_images(c, splits)
    task = make_canonical_task(c, images, splits)
    canonical, transformed = images.pools(0)
    data = task.data | {"canonical": canonical, "transformed": transformed}
    images, labels = task.draw(jax.tree.map(jnp.asarray, data), jax.random.key(0))
    assert labels.tolist() == [1, 0, 0, 1, 0, 1, 0, 1, 0] and images.dtype == jnp.float32

    def bytes_of(images):
        return [image.tobytes() for image in np.asarray(images).round().astype(np.uint8)]

    halves = [
        set(bytes_of(splits.train.images[pool.index[: pool.count]]))
        for pool in (canonical, transformed)
    ]
    assert halves[0] >= set(bytes_of(255 * images[labels == 1]))
    assert halves[1] >= set(bytes_of(255 * (1 - images[labels == 0])))


def test_it_is_tested_on_both():
    c, splits = config(), tiny.splits()
    images = build_images(c, splits)
    task = make_canonical_task(c, images, splits)
    assert task.labels.tolist().count(1) == 12 and len(task.labels) == 24
    originals = splits.test.images / np.float32(255)
    for label, expected in ((1, originals), (0, 1 - originals)):
        tested = sorted(image.tobytes() for image in task.images[task.labels == label].round(4))
        assert tested == sorted(image.tobytes() for image in expected.round(4))


@pytest.mark.parametrize("kind", ["conv", "faces"])
@pytest.mark.slow
def test_a_run_says_what_it_calls_canonical(tmp_path, kind, monkeypatch):
    def narrow(*arguments, wide=CLASSIFIERS["faces"], **named):
        return wide(*arguments, **named).clone(stages=((4, 4, 4), (6, 6), (8, 8)), hidden=(16, 8))

    monkeypatch.setitem(CLASSIFIERS, "faces", narrow)
    c = config()
    c.classifier.kind, c.classifier.learning_rate = kind, 3e-3
    experiment.run(c, tmp_path, data=tiny.splits())
    summary = json.loads((tmp_path / "summary.json").read_text())
    shares = summary["called_canonical"]
    assert list(shares) == ["canonical", "transformed", "restored", "per_mechanism"]
    # It has learned what an inverted image is; an expert of two steps does not deceive it.
    assert shares["canonical"] == 1 and shares["transformed"] == 0
    assert shares["per_mechanism"]["invert"]["restored"] == shares["restored"]
    assert summary["accuracy"] is None
    assert (tmp_path / "figures" / "called_canonical.png").exists()
    with pytest.raises(training.WorkdirError, match="has no judge of labels"):
        restore.load_judge(tmp_path)


@pytest.mark.slow
def test_of_groups_it_is_asked_about_held_out_canonical_images_too(tmp_path):
    c = of_light(config())
    result = experiment.run(c, tmp_path, data=faces())
    shares = result.summary["called_canonical"]
    assert shares["canonical"] == 1 and shares["transformed"] == 0
    kept = result.summary["kept"]
    assert 0 < kept["psnr"]["light=0"] < 100 and -1 <= kept["ssim"]["light=0"] <= 1
    headline = tiny.build_icm(c, faces()).headline(result.summary)
    assert headline["canonical called canonical"] == 1


def test_it_can_be_trained_alone(tmp_path):
    c = of_light(config())
    c.system = "classification"
    result = experiment.run(c, tmp_path, data=faces())
    assert result.summary["accuracy"] == {"test": 1.0}
    assert experiment.describe(result.summary) == (
        "100.0% of held-out images classified as they should be"
    )
    assert (tmp_path / "figures" / "loss.png").exists() and not (tmp_path / "classifier").exists()


def test_there_is_none_to_train_where_labels_say_nothing(tmp_path):
    c = of_light(config())
    c.system, c.classifier.learns = "classification", "labels"
    with pytest.raises(ValueError, match="classifier.learns: 'labels'.* choose 'canonical'"):
        experiment.run(c, tmp_path, data=faces())
