"""What a used model says, in columns, and the files that it is written to."""

import csv

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processes import full_disk

from icm_jax import training
from icm_jax.systems.risk import predictor, wrappers
from icm_jax.systems.risk.networks.mlp import MLP
from icm_jax.systems.risk.wrappers import Risk
from icm_jax.training import output_folder

NET = MLP(1, (3,))


def test_columns_are_what_there_is_of_one_target():
    number = Risk(jnp.array([[1.0], [2]]), jnp.array([[3.0], [4]]), density=jnp.array([5.0, 6]))
    found = predictor.columns(number, "mve")
    assert {name: values.tolist() for name, values in found.items()} == {
        "mve_prediction": [1, 2],
        "mve_aleatoric": [3, 4],
        "mve_density": [5, 6],
    }
    classes = Risk(
        jnp.array([[0.9, 0.1]]), jnp.array([0.3]), jnp.array([0.2]), task="classification"
    )
    found = predictor.columns(classes)
    assert [name for name in found] == ["prediction", "aleatoric", "epistemic"]
    np.testing.assert_allclose(np.array([*found.values()]), [[0.1], [0.3], [0.2]])


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (wrappers.mve(NET), False),
        (wrappers.dropout(NET, 0.0), False),
        (wrappers.dropout(NET), True),
        (wrappers.ensemble(wrappers.ensemble(wrappers.dropout(NET), 2), 2), True),
        (wrappers.ensemble(NET), False),
        (wrappers.controller({"a": wrappers.mve(NET), "b": wrappers.dropout(NET)}), True),
    ],
)
def test_models_with_dropout_draw(model, expected):
    assert model.draws is expected


def double(variables, x, key):
    return {"z": Risk(x * variables), "a": Risk(x + jax.random.uniform(key), x)}


@pytest.mark.parametrize("draws", [True, False])
def test_an_exported_function_takes_a_seed_where_it_draws(draws, tmp_path):
    made = predictor.Predictor(double, jnp.float32(2), (1,), draws, ("z", "a"))
    made.export(tmp_path / "model.jax")
    exported = jax.export.deserialize((tmp_path / "model.jax").read_bytes())
    assert exported.platforms == ("cpu", "cuda")
    assert [str(of) for of in exported.in_avals] == ["float32[b,1]"] + ["uint32[]"] * draws
    for count, seed in ((1, 0), (300, 0), (2, 7)):  # 300: more than are computed at a time
        if seed and not draws:
            continue
        x = np.arange(count, dtype=np.float32)[:, None]
        found, expected = exported.call(x, *[np.uint32(seed)] * draws), made(x, seed)
        assert list(expected) == ["z_prediction", "a_prediction", "a_aleatoric"]
        np.testing.assert_array_equal(expected["z_prediction"], 2 * x[:, 0])
        assert set(found) == set(expected)
        for name in found:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)
    assert made(x, 1)["a_prediction"][0] != made(x, 2)["a_prediction"][0]


def read(folder):
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    with np.load(folder / "predictions.npz") as arrays:
        return rows, dict(arrays)


FOUND = {"prediction": np.float32([0.1, 1e-9]), "density": np.float32([-1 / 3, 2])}


def test_tables_and_arrays_say_the_same(tmp_path):
    folder = output_folder(tmp_path / "new" / "out")
    assert predictor.write(folder, ["a,b.png", "c\udcff.png"], FOUND) == folder / "predictions.csv"
    with (folder / "predictions.csv").open(newline="", errors="surrogateescape") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "prediction", "density"]
    assert [row[0] for row in rows[1:]] == ["a,b.png", "c\udcff.png"]
    with np.load(folder / "predictions.npz") as arrays:
        assert set(arrays) == set(FOUND)
        for place, name in enumerate(FOUND, 1):
            np.testing.assert_array_equal(arrays[name], FOUND[name])
            np.testing.assert_array_equal(np.float32([row[place] for row in rows[1:]]), FOUND[name])


def test_a_write_that_fails_or_is_killed_leaves_the_older_files(tmp_path, monkeypatch):
    folder = output_folder(tmp_path)
    predictor.write(folder, ["0", "1"], FOUND, "row")
    older = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert older.keys() == {"predictions.csv", "predictions.npz"}
    many = {"prediction": np.arange(1000, dtype=np.float32)}
    names = [str(row) for row in range(1000)]
    # The table fits, the arrays do not.
    monkeypatch.setattr(np, "savez", lambda file, **arrays: file.write(bytes(50_000)))
    with full_disk(20_000), pytest.raises(training.WorkdirError, match="cannot write .*: File too"):
        predictor.write(folder, names, many)

    def killed(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", killed)
    with pytest.raises(KeyboardInterrupt):
        predictor.write(folder, names, many)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == older


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ValueError, match="^output: '.*/out' is a file; choose a folder$"):
        output_folder(tmp_path / "out")
    with pytest.raises(training.WorkdirError, match="cannot write .*: Not a directory"):
        output_folder(tmp_path / "out" / "in")
