import pytest

from configs import risk_cubic, risk_regression
from icm_jax.systems import registry
from icm_jax.systems.risk.regression.registry import WRAPPERS


@pytest.mark.parametrize("module", [risk_cubic, risk_regression])
def test_shipped_configs_are_valid(module):
    registry.validate(module.get_config())


def test_wrappers_and_data_are_an_argument():
    assert risk_cubic.get_config().wrappers == tuple(WRAPPERS)
    assert risk_cubic.get_config("mve,vae").wrappers == ("mve", "vae")
    c = risk_regression.get_config()
    assert (c.data.name, "ensemble_mve" in c.wrappers) == ("diabetes", True)
    c = risk_regression.get_config("concrete,mve")
    assert (c.data.name, c.wrappers, c.steps) == ("concrete", ("mve",), 20_000)
    assert (c.hidden, risk_regression.get_config("protein").hidden) == ((50,), (100,))
    c = risk_regression.get_config("wine")
    assert (c.steps, c.evaluation.every, c.log.every) == (500, 50, 10)


@pytest.mark.parametrize(
    ("module", "choice"), [(risk_cubic, "laplace"), (risk_regression, "concrete,laplace")]
)
def test_another_wrapper_is_refused(module, choice):
    with pytest.raises(ValueError, match="^config: 'laplace' is no wrapper; .* one of plain, mve"):
        module.get_config(choice)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("wrappers", ("laplace",), "wrappers: .* a tuple of names, of plain, mve, dropout"),
        ("wrappers", (), r"wrappers: \(\) is not allowed; it must name at least one, each once"),
        ("wrappers", ("mve", "mve"), "wrappers: .*at least one, each once"),
        ("hidden", (50, 0), "hidden: .* whole numbers from 1 on"),
        ("dropout.rate", 1.0, "dropout.rate: 1.0 is not allowed; .* below 1"),
        ("members", 0, "members: 0 is not allowed; it must be at least 1"),
        ("density.neighbours", 3000, "density.neighbours: 3000 .* at most density.size, 2000"),
        ("data.splits", -1, "data.splits: -1 is not allowed; it must be at least 0"),
        ("histogram.bins", 1, "histogram.bins: 1 is not allowed; it must be at least 2"),
    ],
)
def test_a_bad_value_is_named(field, value, message):
    c = risk_cubic.get_config()
    c.update_from_flattened_dict({field: value})
    with pytest.raises(ValueError, match=message):
        registry.validate(c)


def test_tables_have_no_fields_of_images():
    c = risk_cubic.get_config()
    assert set(c.data) == {"name", "dir", "splits"} and "convolution" not in c
