import pytest

from icm_jax.networks.compute import Compute
from icm_jax.networks.registry import CLASSIFIERS
from icm_jax.systems.icm.config import SCHEMAS


@pytest.fixture
def config():
    return SCHEMAS["icm"].defaults().classifier


def test_a_classifier_is_made_of_the_configs_values(config):
    config.stages, config.hidden, config.dropout = ((3,), (4,)), 5, 0.25
    made = CLASSIFIERS["conv"](config, 6, "devices", Compute("tf32"))
    assert (made.stages, made.hidden, made.dropout) == (((3,), (4,)), 5, 0.25)
    assert (made.classes, made.axis_name, made.compute) == (6, "devices", Compute("tf32"))


def test_the_classifier_of_faces_tells_two_classes_apart(config):
    assert type(CLASSIFIERS["faces"](config, 2, None, Compute())).__name__ == "FacesClassifier"
    with pytest.raises(ValueError, match="classifier.kind: 'faces' tells two classes apart, not 3"):
        CLASSIFIERS["faces"](config, 3, None, Compute())
