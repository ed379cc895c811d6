"""Methods side by side in ten bins."""

import json

import numpy as np
import pytest
from systems.risk.detection import tiny

from icm_jax.config import to_dict
from icm_jax.systems.risk.detection import bins
from icm_jax.systems.risk.detection.config import METHODS


@pytest.mark.parametrize("method", METHODS)
def test_a_config_says_its_method(method):
    assert bins.name_method(tiny.risk_faces(f"noise,{method}")) == method


def test_a_finished_run_is_read(tmp_path):
    config = to_dict(tiny.risk_faces("conflict,oracle"))
    (tmp_path / "config.json").write_text(json.dumps(config))
    recall = {"density": [0.0, 0.5] + [1.0] * 8}
    (tmp_path / "summary.json").write_text(json.dumps({"bins": recall}))
    found = bins.examine(tmp_path, None)
    assert found == {"method": "oracle", "bins": recall}
    assert bins.numbers(found) == {"log density, worst tenth": 0.0}
    (tmp_path / "summary.json").write_text(json.dumps({"bins": {}}))
    with pytest.raises(ValueError, match="has too few test faces for ten bins"):
        bins.examine(tmp_path, None)


def test_methods_are_means_over_their_runs():
    steps = np.arange(10) / 10
    runs = [
        {"method": "erm", "bins": {"density": steps.tolist()}},
        {"method": "density", "bins": {"density": [1.0] * 10, "epistemic": [0.5] * 10}},
        {"method": "erm", "bins": {"density": (steps + 0.1).tolist()}},
    ]
    tables = bins.tables(runs)
    head, rows = tables["density"]
    assert list(head) == ["method", *(f"{5 + 10 * tenth} %" for tenth in range(10))]
    assert [row[0] for row in rows] == ["erm", "density"]
    np.testing.assert_allclose(rows[0][1:], steps + 0.05)
    assert rows[1][1:] == [1.0] * 10
    assert tables["epistemic"][1] == [["density"] + [0.5] * 10]
    first, second = bins.figures(runs)["recall"].axes
    assert [axes.get_title() for axes in (first, second)] == [
        "log density",
        "epistemic uncertainty",
    ]
    np.testing.assert_allclose(first.get_lines()[0].get_ydata(), steps + 0.05)
    assert bins.numbers(runs[1])["epistemic uncertainty, worst tenth"] == 0.5
