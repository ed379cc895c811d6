import pytest

from icm_jax.report.story import Measure, cell, change


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (0.97531, "%", "97.5"),
        (12.3456, "dB", "12.3"),
        (12.3456, "", "12.35"),
        (3, "", "3"),
        (True, "", "yes"),
        (False, "%", "no"),
        (None, "%", "–"),
    ],
)
def test_numbers_as_cells(value, unit, text):
    assert cell(value, unit) == text


def test_a_change():
    assert change(0.5, 0.975, "%") == "50.0 → 97.5"
    assert change(None, 8.25, "dB") == "– → 8.2"


def test_the_head_of_a_column_has_the_unit():
    assert Measure("PSNR", "dB").head == "PSNR (dB)"
    assert Measure("steps").head == "steps"
