"""Recipes of the data sets, and values that do not go together."""

import pytest

from icm_jax import default_config
from icm_jax.systems import registry
from icm_jax.systems.counterfactual.generation.config import recipe


def config_of(choice):
    config = default_config("counterfactual")
    config.update(recipe(choice))
    return config


@pytest.mark.parametrize(
    "choice",
    ["colored", "double_colored", "wildlife", "folder", "colored,published", "wildlife,published"],
)
def test_recipes_can_run(choice):
    config = config_of(choice)
    registry.validate(config)
    name = choice.split(",")[0]
    assert config.data.set == name
    assert config.data.source == ("folder" if name == "folder" else "bundled")


def test_the_published_recipe_is_as_published():
    config = config_of("double_colored,published")
    assert config.steps == 50_000 * 15 // 16 and config.batch_size == 16
    assert tuple(config.losses.perceptual) == (0, 0.05, 0, 0.05) and config.losses.mask == 0.3
    assert config.losses.edge == 0 and config.losses.perceptual_share == 1
    assert config.optimizer.to_dict() == {
        "generator": 2e-4,
        "discriminator": 2e-4,
        "norm": 1.0,
        "momentum": 0.5,
        "decay": 0.0,
    }
    of = config.generator
    assert (of.initializer, of.gain, of.spread, of.average) == ("orthogonal", 0.2, 0.2, 0)
    assert (config.discriminator.kind, config.discriminator.width) == ("linear", 512)
    assert config.losses.adversarial == "least_squares"


@pytest.mark.parametrize("choice", ["coloured", "colored,printed", "folder,published", ""])
def test_other_choices_are_refused(choice):
    with pytest.raises(ValueError, match=f"^config: '{choice}' is not allowed; it must be one of"):
        recipe(choice)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"losses.perceptual": (0.1, 0.1)},
            r"^losses.perceptual: \(0.1, 0.1\) is not allowed; it must be 4 weights from 0 on$",
        ),
        (
            {"losses.perceptual": (0.1, 0.0, 0.0, 0.0), "losses.perceptual_share": 0.0},
            "^losses.perceptual_share: 0 is not allowed with losses.perceptual; it must be above 0",
        ),
        ({"data.size": 64}, "^data.size: 64 is not allowed with data.set 'colored'; it must be 32"),
    ],
)
def test_what_does_not_go_together_is_refused(fields, message):
    config = config_of("colored")
    config.update_from_flattened_dict(fields)
    with pytest.raises(ValueError, match=message):
        registry.validate(config)
