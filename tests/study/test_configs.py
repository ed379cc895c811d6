"""The studies of configs/study/, read as launch.py does."""

import runpy
from pathlib import Path

import pytest
from ml_collections import ConfigDict

from configs.study.common.forms import FORMS
from icm_jax import default_config
from icm_jax.config import digest
from icm_jax.data import SOURCES
from icm_jax.study import config as study_config
from icm_jax.systems import registry

FILES = sorted((Path(__file__).parents[2] / "configs" / "study").glob("*.py"))

# What `examine` of each kind reads of its settings.
SETTINGS = {
    "bins": {"kind"},
    "composition": {"kind", "images", "limit", "width"},
    "detection": {"kind", "detector", "non_faces", "own", "data", "images", "left"},
    "diagnosis": {"kind", "own", "data", "images", "unknown"},
    "few": {"kind", "images", "counts", "steps", "new", "new_steps", "mechanism"},
    "forgetting": {"kind", "images", "steps", "more", "filters", "away", "gone"},
    "recombination": {"kind", "images", "steps", "discriminator_steps", "together"},
    "robustness": {
        *("kind", "images", "pairs", "weaker", "stronger", "unknown"),
        *("left", "augmented_steps", "oracle_steps"),
    },
    "transfer": {"kind", "images", "data", "group_by"},
}


def get_config(file, *form):
    return runpy.run_path(str(file))["get_config"](*form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_studies_can_run(file, form):
    made = get_config(file, form)
    study_config.validate(made)
    # Studies of one name would write the same table.
    assert made.name == f"{file.stem}_{form}"
    assert made.question.endswith("?")
    configs = [study_config.variant(made, name) for name in study_config.names(made)]
    assert len({digest(c) for c in configs}) == len(made.variants)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_examinations_have_the_fields_that_are_read(file, form):
    made = get_config(file, form)
    examinations = registry.kind_of(made.base).examinations
    assert {settings.kind for settings in made.examinations.values()} <= set(examinations)
    assert set(examinations) <= set(SETTINGS)
    for settings in made.examinations.values():
        assert set(settings) == SETTINGS[settings.kind]
        if settings.kind == "bins":
            continue
        assert settings.images >= 0
        if "data" in settings:
            assert set(settings.data) == set(default_config("icm").data)
            assert settings.data.source in SOURCES
        elif settings.kind == "composition":
            assert settings.limit >= 1 and settings.width >= 1
    # What is set of one on the command line must not be set of another.
    parts = [settings.get("data", settings) for settings in made.examinations.values()]
    assert len({id(part) for part in parts}) == len(made.examinations)


# The fields of which the short form of a study has less, by the system that it is of.
SHORTER = {
    "icm": {
        "competition.steps": (1000, 600),
        "evaluation.last": (0, 2000),
    },
    "stable_features": {
        "network": ("cnn", "mlp"),
        "steps": (1000, 200),
        "evaluation.every": (200, 100),
        "tofu.environments.steps": (400, 100),
        "tofu.robust.steps": (400, 100),
        "tofu.embedding.steps": (400, 100),
    },
    "risk_regression": {"data.splits": (0, 5)},
    "risk_faces": {"steps": (1000, 300), "evaluation.every": (250, 100)},
    "counterfactual": {"steps": (6000, 20)},
    "invariant_classifier": {
        "steps": (7810, 40),
        "recipe.steps": (18_000, 20),
        "gan_recipe.steps": (50_000, 20),
    },
}
SHORTER["counterfactual_amount"] = SHORTER["invariant_classifier"] | {
    "gan_recipe.steps": (40_000, 20)
}
SHORTER["detection"] = SHORTER["faces_transfer"] = {"competition.steps": (1200, 600)}
# The variants of the short form of a study, where it has not all.
FEWER = {
    "risk_regression": {"diabetes"},
    "counterfactual_table": {
        "colored, original",
        "colored, counterfactual",
        "colored, both",
    },
    "counterfactual_amount": {
        "10000 counterfactuals, 1 of a shape",
        "1000000 counterfactuals, 20 of a shape",
    },
}


def fields(config, prefix=""):
    """All fields of a config by their names with points."""
    found = {}
    for name, value in config.items():
        inner = isinstance(value, ConfigDict)
        found |= fields(value, f"{prefix}{name}.") if inner else {prefix + name: value}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_short_form_is_less_of_the_same(file):
    full, short = (get_config(file, form) for form in FORMS)
    assert get_config(file).name == full.name
    assert short.seeds < full.seeds
    assert set(short.variants) == FEWER.get(file.stem, set(full.variants))
    for name in short.variants:
        long, brief = (fields(study_config.variant(made, name)) for made in (full, short))
        assert set(long) == set(brief)
        differing = {key: (long[key], brief[key]) for key in long if long[key] != brief[key]}
        assert differing == SHORTER.get(file.stem, SHORTER[full.base.system])


def test_any_other_form_is_refused():
    assert FILES
    for file in FILES:
        with pytest.raises(ValueError, match="form: 'long' is unknown; choose one of full, short"):
            get_config(file, "long")
        with pytest.raises(ValueError, match="form: '' is unknown"):
            get_config(file, "")


@pytest.mark.parametrize(
    ("file", "generators"), [("counterfactual_table", 6), ("counterfactual_amount", 1)]
)
def test_classifiers_of_a_data_set_share_a_generator(file, generators):
    # A generator and a GAN of each set.
    made = get_config(FILES[0].with_name(f"{file}.py"))
    configs = [study_config.variant(made, name) for name in made.variants]
    parts = [registry.kind_of(config).parts(config) for config in configs]
    assert len({of["generator"] for of in parts if of}) == generators
