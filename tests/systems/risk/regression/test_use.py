"""Use of a finished regression on rows of one's own; its data are nowhere but in memory."""

import csv
import json

import jax
import numpy as np
import pytest
from commands import launched
from systems.risk.regression import tiny

from icm_jax import experiment
from icm_jax.systems.risk.regression import use
from icm_jax.systems.risk.regression.answers import Asked, make_answer
from icm_jax.systems.risk.regression.data import make_tasks
from icm_jax.systems.risk.regression.registry import make_models
from icm_jax.systems.risk.tables import standardize

SEVERAL = ("mve", "density")
COLUMNS = ["mve_prediction", "mve_aleatoric"]
COLUMNS += ["density_prediction", "density_aleatoric", "density_density"]


def table():
    """The plane, with a feature far from zero and one that is constant."""
    plane = tiny.plane()
    far, near = np.split(plane.features, 2, axis=1)
    constant = np.full_like(far, 0.1)
    return plane._replace(features=np.concatenate([far + 1e4, near, constant], axis=1))


def make_config(wrappers, steps=2):
    config = tiny.regression(wrappers)
    config.steps, config.evaluation.every, config.checkpoint.every = steps, 2, 2
    config.hidden, config.dropout.rate = (8,), 0.5
    return config


def make_run(folder, *of):
    return folder, experiment.run(make_config(*of), folder, data=table()).state


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("several"), SEVERAL)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    # A step of it takes long to compile, and it need not have learned anything.
    return make_run(tmp_path_factory.mktemp("one"), ("controller",), 0)


def evaluated(run, wrappers):
    """What evaluation says of the test rows of the first split, by row of the results."""
    config = make_config(wrappers)
    (task,) = make_tasks(config, table(), [0])
    answer = make_answer(make_models(config, 3))
    asked = Asked(task.test.features, task.scale, task.shift)
    found = answer(run[1].learners, task.train, asked)
    return {row: of.of_split(0, task.test.count[0]).whole for row, of in found.items()}


def rows_to_ask():
    """The test rows of the first split in their own units: features and target."""
    rows = table().test[0]
    return table().features[rows], table().targets[rows]


def test_rows_in_their_own_units_are_answered_as_in_evaluation(several):
    models = use.load(several[0])
    found = models(rows_to_ask()[0])
    assert list(found) == COLUMNS and models.shape == (3,)
    expected = evaluated(several, SEVERAL)
    for column, values in found.items():
        row, field = column.rsplit("_", 1)
        of_row = getattr(expected[row], field).reshape(-1)
        # The network of `density` has a constant aleatoric risk, that of its training errors.
        np.testing.assert_allclose(values, of_row, rtol=1e-4, atol=1e-4)
    assert found["mve_prediction"].std() > 0.01 and abs(found["mve_prediction"].mean() - 10) < 3


def test_the_summary_says_what_the_first_split_is_scaled_by(several):
    said = json.loads((several[0] / "summary.json").read_text())["first_split"]
    split = standardize(table(), 0)
    assert said["features"]["shift"] == split.feature_shift.tolist()
    assert said["features"]["scale"] == [*split.feature_scale[:2].tolist(), None]
    assert np.float32(said["target"]["scale"]) == split.scale
    assert np.float32(said["target"]["shift"]) == split.shift
    assert list(said["noise"]) == ["mve", "density"]


def write_csv(path, *columns):
    rows = np.column_stack(columns)
    names = [f"x{column}" for column in range(rows.shape[1])]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows.tolist()])
    return path


def test_predictions_of_a_table_as_csv_and_npz(several, tmp_path, capsys):
    features, target = rows_to_ask()
    np.savez(tmp_path / "x.npz", features=features, target=target)
    expected = use.load(several[0])(features)
    for source in (
        write_csv(tmp_path / "without.csv", features),
        write_csv(tmp_path / "with.csv", features, target),
        tmp_path / "x.npz",
    ):
        flags = {"mode": "predict", "workdir": several[0], "output": tmp_path / "out"}
        found = launched(capsys, input=source, **flags)
        assert found == (0, f"24 rows predicted\n{tmp_path}/out/predictions.csv\n", "")
        with (tmp_path / "out/predictions.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["row", *COLUMNS]
        assert [row["row"] for row in rows] == [str(row) for row in range(24)]
        with np.load(tmp_path / "out/predictions.npz") as arrays:
            assert list(arrays) == COLUMNS
            for name in COLUMNS:
                np.testing.assert_array_equal(arrays[name], expected[name])
                read = np.float32([row[name] for row in rows])
                np.testing.assert_array_equal(read, expected[name])


def test_columns_of_a_csv_are_found_by_the_names_of_training(tmp_path):
    (tmp_path / "x.csv").write_text(",c,b,a\n0,3,2,1\n1,6,5,4\n")
    found = use.read(tmp_path / "x.csv", 3, ["a", "b", "c"])
    np.testing.assert_array_equal(found, [[1, 2, 3], [4, 5, 6]])
    with pytest.raises(ValueError, match="has no column 'd'; the run was trained on a, d$"):
        use.read(tmp_path / "x.csv", 2, ["a", "d"])


def test_a_run_on_a_csv_knows_its_columns(tmp_path):
    config, named = make_config(("mve",)), table()._replace(columns=("far", "near", "constant"))
    experiment.run(config, tmp_path / "run", data=named)
    said = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert said["columns"] == ["far", "near", "constant"]
    (tmp_path / "x.csv").write_text("near,constant\n1,2\n")
    with pytest.raises(
        ValueError, match="has no column 'far'; the run was trained on far, near, c"
    ):
        experiment.use("predict", tmp_path / "run", tmp_path / "x.csv", tmp_path / "out")


def test_an_exported_controller_says_the_same(one, tmp_path, capsys):
    flags = {"mode": "export", "workdir": one[0], "output": tmp_path / "model.jax"}
    assert launched(capsys, **flags) == (0, f"{tmp_path}/model.jax\n", "")
    exported = jax.export.deserialize((tmp_path / "model.jax").read_bytes())
    assert [str(of) for of in exported.in_avals] == ["float32[b,3]", "uint32[]"]
    model, features = use.load(one[0]), rows_to_ask()[0]
    for count, seed in ((1, 0), (24, 5)):
        found = exported.call(features[:count], np.uint32(seed))
        expected = model(features[:count], seed)
        assert set(found) == set(expected)
        for name in found:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5)
    more = {"mve": [], "dropout": ["epistemic"], "histogram": ["density"], "vae": ["novelty"]}
    assert list(expected) == [
        f"{metric}_{field}"
        for metric, fields in more.items()
        for field in ["prediction", "aleatoric", *fields]
    ]
    # With seed 0 it drops what evaluation does, with another others.
    first, column = model(features), "dropout_epistemic"
    risk = evaluated(one, ("controller",))["controller dropout"]
    np.testing.assert_allclose(first[column], risk.epistemic[:, 0], rtol=1e-3, atol=1e-6)
    assert np.abs(first[column] - expected[column]).max() > 1e-3


def test_several_wrappers_are_not_exported(several, tmp_path, capsys):
    flags = {"mode": "export", "workdir": several[0], "output": tmp_path / "model.jax"}
    message = f"error: wrappers: {SEVERAL} is not allowed with --mode=export; it must be one alone"
    assert launched(capsys, **flags) == (1, "", f"{message}\n")
    assert not (tmp_path / "model.jax").exists()


def write(name, content):
    def make(folder):
        (folder / name).write_text(content)
        return folder / name

    return make


def save(**arrays):
    def make(folder):
        np.savez(folder / "x.npz", **arrays)
        return folder / "x.npz"

    return make


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda folder: folder / "x.csv", FileNotFoundError, "there is no file '.*/x.csv'$"),
        (lambda folder: folder, ValueError, "'.*' is not allowed; it must be a .csv or an .npz"),
        (
            write("x.csv", "a,b\n1,2\n"),
            ValueError,
            r".* shape \(1, 2\); .* 3 features, \[N, 3\], o",
        ),
        (write("x.csv", "a,b,c\n"), ValueError, "'.*' has too little; a line of names and rows"),
        (write("x.csv", "a,b,c\n1,2,?\n"), ValueError, "'.*' line 2, column 'c': '.' is not a num"),
        (write("x.csv", "a,b,c\n1,2,inf\n"), ValueError, "'.*' row 0, features column 2: inf is n"),
        (write("x.npz", "no"), ValueError, "'.*' cannot be read"),
        (save(x=np.zeros(3)), ValueError, "'.*' has no array features; it has x, and features is"),
        (save(features=np.zeros((2, 4))), ValueError, r".*\(2, 4\); .* 3 features, \[N, 3\]$"),
        (save(features=np.zeros(3)), ValueError, r".*shape \(3,\); .* 3 features"),
        (save(features=np.zeros((2, 3), bool)), ValueError, "'.*' has features of bool; numbers"),
    ],
)
def test_tables_that_do_not_fit(make, error, message, tmp_path):
    with pytest.raises(error, match=f"^input: {message}") as caught:
        use.read(make(tmp_path), 3)
    assert "\n" not in str(caught.value)
