from pathlib import Path

from configs import mnist_three
from configs.study import seeds
from icm_jax.systems import fields

PROMISES = ("robustness", "diagnosis", "recombination", "forgetting", "detection", "few")


def test_the_tables_of_the_documentation_are_those_of_the_fields():
    written = (Path(__file__).parents[2] / "docs" / "fields.md").read_text()
    assert written == fields.markdown(), "run: python -m icm_jax.systems.fields > docs/fields.md"


def test_systems_of_the_same_fields_share_a_table_and_every_field_has_a_row():
    text = fields.markdown()
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "## System `icm`, `oracle`, `classification`",
        "## System `stable_features`",
        "## System `risk_regression`",
        "## System `risk_faces`",
        "## System `counterfactual`",
        "## System `conditional_gan`",
        "## System `counterfactual_vae`",
        "## System `invariant_classifier`",
        "## System `counterfactual_imagenet`",
        "## System `invariant_ensemble`",
        "## Examination `transfer` of finished runs of `icm`",
        "## Examination `composition` of finished runs of `icm`",
        *(f"## Examination `{name}` of finished runs of `icm`" for name in PROMISES),
        "## Examination `bins` of finished runs of `risk_faces`",
    ]
    row = "| `irm.after` | `200` | a whole number, at least 0 | irm: steps at first, in which "
    assert text.count(row) == 1


def test_help_has_flags_with_the_configs_values_and_what_the_defaults_are():
    c = mnist_three.get_config()
    c.experts.prune = 0.25
    lines = fields.help_text(c).splitlines()
    at = lines.index("--config.experts.prune=0.25")
    assert " ".join(line.strip() for line in lines[at + 1 : at + 3]) == (
        "experts with less than this share of wins are dropped at the end; 0: none (a number, at "
        "least 0 and below 1; its default is 0.0)"
    )
    at = lines.index("--config.experts.latent=256")
    assert lines[at + 1] == (
        "    vae: the numbers that an image passes through (a whole number, at least 1)"
    )


def test_help_on_a_study_is_that_on_what_its_runs_are_made_of():
    text = fields.help_text(seeds.get_config("short"))
    assert "--config.base.competition.steps=600\n" in text
