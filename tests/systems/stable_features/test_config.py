import pytest
from ml_collections import ConfigDict

from configs import channel_mnist, tofu_mnist
from icm_jax import default_config
from icm_jax.systems import registry


@pytest.mark.parametrize("module", [channel_mnist, tofu_mnist])
def test_shipped_configs_are_valid(module):
    registry.validate(module.get_config())


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("method", "dro", "method: 'dro' .* one of erm, balanced, group_dro, irm, oracle, tofu"),
        ("network", "resnet", "network: 'resnet' .* one of cnn, vgg, exquisite"),
        ("batch_size", 0, "batch_size: 0 is not allowed; it must be at least 1"),
        ("seed", -1, "seed: -1 is not allowed; it must be from 0 to"),
        ("precision", "half", "precision: 'half' .* one of float32"),
        ("data.task", "other", "data.task: 'other' .* one of same, transfer"),
        ("data.label_noise", 1.5, "data.label_noise: 1.5 .* from 0 to 1"),
        ("data.environments", (0.1, 2), "data.environments: .* shares from 0 to 1"),
        ("data.environments", (0.1,), "data.environments: .* compares 2 or more"),
        ("data.source_labels", (4,), "data.source_labels: .* 2 different labels or more"),
        ("data.target_labels", (3, 3), "data.target_labels: .* 2 different labels or more"),
        ("data.target_labels", (1, 3), "data.target_labels: .* as many as data.source_labels, 5"),
        ("data.environments", (), "data.environments: .* its source needs 1 or more"),
        ("steps", 0, "steps: 0 is not allowed; method 'tofu' needs its last phase"),
        ("data.assignment", "x.npz", "data.assignment: 'x.npz' is for data.task='same' alone"),
        ("selection.by", "test", "selection.by: 'test' .* one of worst_group, validation, last"),
        ("selection.fraction", 0.0, "selection.fraction: 0.0 .* above 0 and below 1"),
        ("tofu.clusters", 1, "tofu.clusters: 1 .* at least 2"),
        ("tofu.margin", 0.0, "tofu.margin: 0.0 .* above 0"),
    ],
)
def test_a_bad_value_of_stable_features_is_named(field, value, message):
    c = tofu_mnist.get_config()
    c.update_from_flattened_dict({field: value})
    with pytest.raises(ValueError, match=message):
        registry.validate(c)


def test_systems_do_not_share_their_own_fields():
    c = default_config("stable_features").to_dict()
    c["experts"] = {}
    with pytest.raises(ValueError, match="experts: no such field"):
        registry.validate(ConfigDict(c))
    c = default_config("stable_features").to_dict()
    del c["shift"]
    with pytest.raises(ValueError, match="shift: missing; its default is 2"):
        registry.validate(ConfigDict(c))


@pytest.mark.parametrize(
    ("choice", "method", "network"),
    [("", "balanced", "cnn"), ("tofu,vgg", "tofu", "vgg"), ("exquisite", "balanced", "exquisite")],
)
def test_method_and_network_are_an_argument(choice, method, network):
    c = channel_mnist.get_config(choice)
    assert (c.method, c.network) == (method, network)
    registry.validate(c)


@pytest.mark.parametrize("choice", ["dro", "tofu,erm", "cnn,vgg"])
def test_another_argument_is_refused(choice):
    with pytest.raises(ValueError, match=f"config: '{choice}' is not allowed; .* one method of"):
        channel_mnist.get_config(choice)
