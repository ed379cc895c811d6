import pytest
from ml_collections import ConfigDict

from configs import (
    faces,
    faces_classifier,
    faces_groups,
    faces_seed_cnn,
    faces_seed_vae,
    faces_utkface,
    mnist,
    mnist_three,
)
from icm_jax import default_config, mechanisms
from icm_jax.systems import registry


@pytest.mark.parametrize(
    "module",
    [
        *(mnist, mnist_three, faces, faces_classifier, faces_groups, faces_utkface),
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
    with pytest.raises(ValueError, match="^config: '32' is not allowed; .* 28 or 64"):
        faces_utkface.get_config("32")


def test_groups_come_with_two_kinds_of_experts_and_no_other():
    for experts, keep in (("residual", 0), ("vae", 20)):
        c = faces_groups.get_config(experts)
        registry.validate(c)
        assert (c.experts.kind, c.competition.keep) == (experts, keep)
    with pytest.raises(ValueError, match="^config: 'conv' .* residual or vae"):
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
        ("replicas", 2**32 + 1, r"replicas: 4294967297 is not .* at least 1 and below 2\*\*31"),
        ("data.source", "web", "data.source: 'web' .* one of bundled, tfds, folder"),
        ("data.labels", ("six",), "data.labels: .'six',. is not allowed; .* whole numbers"),
        ("mechanisms", (), "mechanisms: .* a non-empty tuple of names"),
        ("mechanisms", ("fog",), "mechanisms: 'fog' is not registered; choose from"),
        ("mechanisms", ({"name": "noise", "sd": 1},), "unexpected keyword argument 'sd'"),
        ("mechanisms", ("invert", "invert"), "mechanisms: 'invert' stands there twice"),
        ("mixture", (1.0,) * 9, "mixture: 9 shares for 10 mechanisms"),
        ("mixture", (1.0,) * 9 + (0,), "mixture: .* shares above 0"),
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


def test_seeds_of_all_replicas_have_32_bits():
    c = default_config("icm")
    c.seed, c.replicas = 2**32 - 2, 2
    registry.validate(c)
    c.replicas = 3
    with pytest.raises(
        ValueError, match=r"replicas: 3 seeds from 4294967294 on exceed 2\*\*32 - 1"
    ):
        registry.validate(c)


def test_wrong_types_and_unknown_and_missing_fields_are_named():
    c = default_config("icm").to_dict()
    c["experts"]["count"] = "ten"
    with pytest.raises(
        ValueError,
        match="experts.count: 'ten' is not .* a whole number, at least 1",
    ):
        registry.validate(ConfigDict(c))
    c = default_config("icm").to_dict()
    c["experts"]["cuont"] = 10
    with pytest.raises(ValueError, match="experts.cuont: no such field; the fields are activation"):
        registry.validate(ConfigDict(c))
    c = default_config("icm").to_dict()
    del c["log"]
    with pytest.raises(ValueError, match="log: missing; its fields are every"):
        registry.validate(ConfigDict(c))


def test_the_papers_recipe_departs_nowhere():
    c = mnist.get_config("paper")
    assert c.competition.balance == 0
    assert (c.competition.steps, c.competition.decay, c.competition.reference) == (2000, 0, 0)
    assert (c.discriminator.losers, c.experts.average, c.competition.restart.every) == (0, 0, 0)
    assert (c.initialization.steps, c.initialization.threshold) == (500, 0.002)
    with pytest.raises(ValueError, match="^config: 'quick' is not allowed; .* of whole, paper$"):
        mnist.get_config("quick")
