import math
import re

import numpy as np
import pytest

from icm_jax.systems.risk import tables


def arrays(rows=20, splits=2):
    """A table whose target is 3 times its first feature less the second, plus 1."""
    features = np.random.RandomState(0).normal(5.0, 2.0, (rows, 2))
    test = np.zeros((splits, rows), bool)
    for split in range(splits):
        test[split, split::splits] = True
    return {"features": features, "target": features @ [3.0, -1.0] + 1, "test": test}


def save(folder, name="mine", **changes):
    np.savez(folder / f"{name}.npz", **(arrays() | changes))
    return str(folder)


def test_arrays_of_a_file_are_the_table(tmp_path):
    table = tables.load_table("mine", save(tmp_path))
    saved = arrays()
    np.testing.assert_allclose(table.features, saved["features"], rtol=1e-6)
    np.testing.assert_allclose(table.targets[:, 0], saved["target"], rtol=1e-6)
    np.testing.assert_array_equal(table.test, saved["test"])
    assert table.features.dtype == table.targets.dtype == np.float32
    assert table.targets.shape == (20, 1) and table.name == "mine"


@pytest.mark.parametrize("short, file", [*tables.FILES.items(), ("yacht", "yacht")])
def test_short_names_find_the_files_with_standard_splits(tmp_path, short, file):
    folder = save(tmp_path, file)
    assert tables.load_table(short, folder).name == short
    assert len(tables.load_table(file, folder).features) == 20


def test_a_file_of_the_short_name_goes_first(tmp_path):
    save(tmp_path, "bostonHousing")
    folder = save(tmp_path, "boston", target=np.full(20, 7.0))
    assert set(tables.load_table("boston", folder).targets[:, 0]) == {7.0}


def test_standardized_by_training_rows_alone():
    # Of the three training rows 1, 3, 5 the mean is 3 and the deviation sqrt(8 / 3); 9 is tested.
    column = np.float32([[1], [9], [3], [5]])
    test = np.array([[False, True, False, False]])
    split = tables.standardize(tables.Table(column, 10 * column, test, "small"), 0)
    deviation = math.sqrt(8 / 3)
    np.testing.assert_allclose(split.train_features, (column[[0, 2, 3]] - 3) / deviation, rtol=1e-6)
    np.testing.assert_allclose(split.test_features, [[6 / deviation]], rtol=1e-6)
    np.testing.assert_allclose(split.test_targets, [[6 / deviation]], rtol=1e-6)
    np.testing.assert_allclose([split.scale, split.shift], [[10 * deviation], [30]], rtol=1e-6)
    np.testing.assert_allclose(split.test_targets * split.scale + split.shift, [[90]], rtol=1e-6)


def test_constant_columns_give_zeros():
    # The mean of many 0.1 in float32 is not 0.1, and their deviation is not 0 as computed.
    features = np.full((1001, 2), 0.1, np.float32)
    features[0, 1] = 5
    test = np.arange(1001)[None] == 0
    table = tables.Table(features, np.full((1001, 1), 0.7, np.float32), test, "constant")
    split = tables.standardize(table, 0)
    for array in split[:3]:
        assert not array.any()
    # It differs in the test row, but nothing was learned of it.
    assert not split.test_features.any()
    assert split.scale == 1 and split.shift == np.float32(0.7)


def test_least_squares_on_a_standardized_split_finds_the_line(tmp_path):
    split = tables.standardize(tables.load_table("mine", save(tmp_path)), 1)
    weights = np.linalg.lstsq(split.train_features, split.train_targets, rcond=None)[0]
    np.testing.assert_allclose(split.test_features @ weights, split.test_targets, atol=1e-5)


def test_splits_are_a_tenth_and_frozen():
    test = tables.draw_splits(442)
    assert test.shape == (20, 442) and set(test.sum(1)) == {44}
    first = np.random.RandomState(3).permutation(442)[:44]
    assert set(np.flatnonzero(test[3])) == set(first.tolist())
    assert tables.draw_splits(4).sum(1).tolist() == [1] * 20


def test_diabetes_comes_with_the_wheel():
    table = tables.load_table("diabetes")
    assert table.features.shape == (442, 10) and table.test.shape == (20, 442)
    # The first patient: 59 years, sex 2, body mass index 32.1, ...; 151 after a year.
    np.testing.assert_allclose(table.features[0, :3], [59, 2, 32.1], rtol=1e-6)
    assert table.targets[0] == 151 and round(float(table.targets.mean()), 3) == 152.133


def test_csv_of_ones_own(tmp_path):
    (tmp_path / "own.csv").write_text("a,b,y\n" + "".join(f"{i},{i * i},{-i}\n" for i in range(30)))
    table = tables.load_table("own", str(tmp_path))
    np.testing.assert_array_equal(table.features[5], [5, 25])
    assert table.targets[5] == -5
    np.testing.assert_array_equal(table.test, tables.draw_splits(30))
    assert table.columns == ("a", "b")


def test_columns_may_be_called_by_their_numbers(tmp_path):
    (tmp_path / "own.csv").write_text("0,1\n" + "".join(f"{i},{i}\n" for i in range(30)))
    assert len(tables.load_table("own", str(tmp_path)).features) == 30


@pytest.mark.parametrize(
    "text, message",
    [
        ("a,y\n1,2\n\n3,x\n", "line 4, column 'y': 'x' is not a number"),
        ("a,y\n1,2\n3,\n", "line 3, column 'y': '' is not a number"),
        ("a,y\n1,2,3\n", "line 2 has 3 cells; the line of names has 2"),
        ("a,y\n", "has too little; a line of at least two names and rows"),
        ("y\n1\n", "has too little"),
        ("1.5,2\n2,3\n", "begins with numbers, not with a line of names; it needs one"),
        (",a,y\n0,1,2\n", "has a first column without a name, as an index has; leave it out"),
        ("a,a,y\n0,1,2\n", "has several columns called 'a'; name each its own way"),
        ("a,y\n1,nan\n2,3\n", "row 0, target: nan is not a finite number"),
    ],
)
def test_csv_that_cannot_be_used(tmp_path, text, message):
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(ValueError, match="data.dir: .*own.csv.*" + re.escape(message)):
        tables.load_table("own", str(tmp_path))


def nan_at(row, column):
    features = arrays()["features"]
    features[row, column] = np.nan
    return features


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"target": arrays()["features"]}, r"target \(20, 2\), .*needed are \[N, D\], \[N\]"),
        ({"target": np.ones(19)}, r"target \(19,\)"),
        ({"features": np.ones(20)}, r"features \(20,\)"),
        ({"test": np.ones((2, 19), bool)}, r"test \(2, 19\)"),
        ({"test": np.ones((2, 20))}, "test of float64; bool are needed"),
        ({"features": np.full((20, 2), "a")}, "features of <U1; numbers are needed"),
        ({"features": nan_at(7, 1)}, "row 7, features column 1: nan is not a finite number"),
        ({"target": np.full(20, np.inf)}, r"row 0, target: inf .*20 such in all"),
        ({"target": np.full(20, 1e300)}, "row 0, target: inf"),
        ({"test": np.arange(40).reshape(2, 20) < 20}, "split 0 of test has no row to train on"),
        ({"test": np.arange(40).reshape(2, 20) < 3}, "split 1 of test has no row to test on"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, changes, message):
    with pytest.raises(ValueError, match=f"data.dir: .*mine.npz.*{message}") as error:
        tables.load_table("mine", save(tmp_path, **changes))
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_used(tmp_path):
    with pytest.raises(FileNotFoundError, match="'mine' is a file in a folder, only 'diabetes'"):
        tables.load_table("mine")
    with pytest.raises(FileNotFoundError, match="'.*/none' is not a folder of tables"):
        tables.load_table("mine", str(tmp_path / "none"))
    folder = save(tmp_path, "energy")
    save(tmp_path, "concrete")
    with pytest.raises(
        FileNotFoundError, match="'concret' is no table .*are concrete, energy, and"
    ):
        tables.load_table("concret", folder)
    (tmp_path / "torn.npz").write_bytes((tmp_path / "energy.npz").read_bytes()[:500])
    with pytest.raises(ValueError, match="torn.npz' cannot be read: "):
        tables.load_table("torn", folder)
    np.savez(tmp_path / "few.npz", features=np.ones((3, 1)), y=np.ones(3))
    with pytest.raises(ValueError, match="has no array target, test; it has features, y, and"):
        tables.load_table("few", folder)
    with pytest.raises(ValueError, match="data.split: 2 is not a split of 'energy'.* from 0 to 1"):
        tables.standardize(tables.load_table("energy", folder), 2)


def test_no_damage_to_a_file_leaves_a_traceback(tmp_path):
    file, rng = tmp_path / "a.npz", np.random.RandomState(0)
    test = np.arange(40)[None] < 4
    np.savez_compressed(file, features=rng.rand(40, 2), target=rng.rand(40), test=test)
    whole, told = file.read_bytes(), 0
    for place in range(0, len(whole), 5):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        try:
            tables.load_table("a", str(tmp_path))
        except ValueError as error:
            assert "\n" not in str(error)
            told += 1
    assert told > 100


def test_a_pointer_of_git_is_no_table(tmp_path):
    for name in ("a.csv", "b.npz"):
        (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\nsize 9\n")
        with pytest.raises(ValueError, match=f"data.dir: '.*{name}' is a pointer of Git LFS"):
            tables.load_table(name[0], str(tmp_path))


def test_wheel_not_installed(monkeypatch):
    monkeypatch.setattr(tables, "_PACKAGE", "scikit-not-there")
    message = (
        "data.name: 'diabetes' reads .*pip install scikit-not-there`, or choose another data.name"
    )
    with pytest.raises(FileNotFoundError, match=message):
        tables.load_table("diabetes")
