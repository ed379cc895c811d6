import json

import pytest
from ml_collections import ConfigDict

from configs import (
    channel_mnist,
    faces,
    faces_classifier,
    faces_groups,
    faces_seed_cnn,
    faces_seed_vae,
    faces_utkface,
    mnist,
    mnist_three,
    tofu_mnist,
)
from icm_jax import config, default_config, mechanisms
from icm_jax.systems import registry


@pytest.mark.parametrize(
    "module",
    [
        *(channel_mnist, tofu_mnist, mnist, mnist_three),
        *(faces, faces_classifier, faces_groups, faces_utkface),
        *(faces_seed_cnn, faces_seed_vae),
    ],
)
def test_shipped_configs_are_valid(module):
    registry.validate(module.get_config())


def test_faces_come_in_two_sizes_and_no_other():
    c = faces_utkface.get_config("64")
    registry.validate(c)
    assert (c.data.size, c.experts.patch, c.mechanisms[3]["dy"]) == (64, 2, 6)
    assert c.discriminator.stages == ((8, 8), (16, 16), (32, 32), (64, 64))
    with pytest.raises(ValueError, match="faces_utkface.py: '32' is not allowed; .* 28 or 64"):
        faces_utkface.get_config("32")


def test_groups_come_with_two_kinds_of_experts_and_no_other():
    for experts, keep in (("residual", 0), ("vae", 20)):
        c = faces_groups.get_config(experts)
        registry.validate(c)
        assert (c.experts.kind, c.competition.keep) == (experts, keep)
    with pytest.raises(ValueError, match="faces_groups.py: 'conv' .* residual or vae"):
        faces_groups.get_config("conv")


def test_the_papers_values_are_the_defaults():
    c = mnist.get_config()
    assert (c.experts.count, c.batch_size, len(c.mechanisms)) == (10, 32, 10)
    assert c.mechanisms == mechanisms.PAPER
    assert c.experts.learning_rate == c.discriminator.learning_rate == 1e-3


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("experts.count", 0, "experts.count: 0 is not allowed; it must be at least 1"),
        ("experts.filters", -3, "experts.filters: -3"),
        ("batch_size", 0, "batch_size: 0"),
        ("seed", -1, "seed: -1 is not allowed; it must be from 0 to"),
        ("replicas", 0, "replicas: 0 is not allowed; it must be at least 1"),
        ("replicas", 2**32 + 1, r"replicas: 4294967297 seeds from 0 on exceed 2\*\*32 - 1"),
        ("data.source", "web", "data.source: 'web' .* one of bundled, tfds, folder"),
        ("data.labels", ("six",), "data.labels: .'six',. is not allowed; .* whole numbers"),
        ("mechanisms", (), "mechanisms: .* a non-empty tuple of names"),
        ("mechanisms", ("fog",), "mechanisms: 'fog' is not registered; choose from"),
        ("mechanisms", ({"name": "noise", "sd": 1},), "unexpected keyword argument 'sd'"),
        ("mechanisms", ("invert", "invert"), "mechanisms: 'invert' stands there twice"),
        ("mixture", (1.0,) * 9, "mixture: 9 shares for 10 mechanisms"),
        ("mixture", (1.0,) * 9 + (0,), "mixture: .* shares above 0"),
        ("system", "gan", "system: 'gan' .* one of icm, oracle"),
        ("experts.prune", 1.0, "experts.prune: 1.0 is not allowed"),
        ("mechanisms", (3,), "mechanisms: 3 is neither a name nor"),
        ("experts.kind", "mlp", "experts.kind: 'mlp' .* one of conv, residual, vae"),
        ("experts.latent", 0, "experts.latent: 0"),
        ("experts.beta", -0.5, "experts.beta: -0.5 is not allowed; it must be at least 0"),
        ("experts.output", "tanh", "experts.output: 'tanh' .* one of sigmoid, relu"),
        ("competition.loss", "hinge", "competition.loss: 'hinge' .* one of log, squared"),
        ("classifier.kind", "mlp", "classifier.kind: 'mlp' .* one of conv, faces"),
        ("classifier.learns", "names", "classifier.learns: 'names' .* one of labels, canonical"),
        ("experts.activation", "sin", "experts.activation: 'sin' .* one of elu, relu"),
        ("experts.learning_rate", 0.0, "experts.learning_rate: 0.0 .* above 0"),
        ("experts.learning_rate", float("nan"), "experts.learning_rate: nan"),
        ("discriminator.stages", ((16,), ()), "discriminator.stages"),
        ("discriminator.stages", (16, 16), "discriminator.stages"),
        ("competition.restart.memory", 1.0, "competition.restart.memory: 1.0 .* below 1"),
        ("checkpoint.every", 0, "checkpoint.every: 0"),
        ("data.groups.attribute", "race", "data.groups.canonical: missing; give attribute, can"),
        ("data.groups.transformed", (1,), "data.groups.attribute: missing"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(field, value, message):
    c = default_config("icm")
    c.update_from_flattened_dict({field: value})
    with pytest.raises(ValueError, match=message):
        registry.validate(c)


def test_an_oracle_has_an_expert_a_mechanism():
    c = default_config("icm")
    c.system, c.experts.count = "oracle", 9
    with pytest.raises(ValueError, match="experts.count: 9 experts for 10 mechanisms"):
        registry.validate(c)


def test_groups_are_told_apart_and_stand_for_mechanisms():
    c = default_config("icm")
    c.data.groups = {"attribute": "race", "canonical": "2", "transformed": (0, "1")}
    c.mixture = (1, 3)
    registry.validate(c)
    for twice in (("1", 1), ("0", "2")):
        c.data.groups.transformed = twice
        with pytest.raises(ValueError, match=f"data.groups: '{twice[1]}' stands there twice"):
            registry.validate(c)
    c.data.groups.transformed = ("1",)
    with pytest.raises(ValueError, match="mixture: 2 shares for 1"):
        registry.validate(c)
    c.mixture, c.system, c.experts.count = (), "oracle", 1
    with pytest.raises(ValueError, match="data.groups: groups have no originals"):
        registry.validate(c)


def test_wrong_types_and_unknown_and_missing_fields_are_named():
    c = default_config("icm").to_dict()
    c["experts"]["count"] = "ten"
    with pytest.raises(ValueError, match="experts.count: 'ten' is not a int"):
        registry.validate(ConfigDict(c))
    c = default_config("icm").to_dict()
    c["experts"]["cuont"] = 10
    with pytest.raises(ValueError, match="experts.cuont: no such field; the fields are activation"):
        registry.validate(ConfigDict(c))
    c = default_config("icm").to_dict()
    del c["log"]
    with pytest.raises(ValueError, match="log: missing"):
        registry.validate(ConfigDict(c))


def test_a_config_goes_through_json_and_back(tmp_path):
    c = default_config("icm")
    c.mechanisms = ("invert", {"name": "noise", "std": 0.1})
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict(c)))
    again = config.from_workdir(tmp_path)
    registry.validate(again)
    assert config.to_dict(again) == config.to_dict(c)
    with pytest.raises(ValueError, match="workdir: no config can be read from .*nowhere"):
        config.from_workdir(tmp_path / "nowhere")


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
        ("data.source_labels", (4,), "data.source_labels: .* 2 labels or more"),
        ("data.target_labels", (3, 3), "data.target_labels: .* 2 labels or more"),
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
    with pytest.raises(ValueError, match="shift: missing; see icm_jax.default_config"):
        registry.validate(ConfigDict(c))
    with pytest.raises(ValueError, match="system: None is not allowed"):
        registry.validate(ConfigDict({}))


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
