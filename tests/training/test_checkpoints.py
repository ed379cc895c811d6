import resource
import shutil
import tempfile

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crashes import harm

from icm_jax.system import Mean
from icm_jax.training.checkpoints import CheckpointError, Checkpoints, fill, flatten
from icm_jax.training.workdir import WorkdirError


def state(offset=0):
    return {
        "params": {"dense/kernel": jnp.arange(6.0).reshape(2, 3) + offset, "b": jnp.ones(3, bool)},
        "half": jnp.full((2,), 1.5, jnp.bfloat16),
        "pair": (Mean(jnp.float32(0.1), jnp.float32(3)), None, ()),
        "empty": jnp.zeros((0, 4)),
        "images": np.arange(5, dtype=np.uint8),
        "key": jax.random.key(7 + offset),
        "keys": jax.random.split(jax.random.key(7), 2),
        "other": jax.random.key(1, impl="rbg"),
    }


@pytest.fixture
def saved(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    yield checkpoints
    checkpoints.close()


def test_restores_what_was_saved(saved, tmp_path):
    assert saved.restore() is None
    saved.save(4, flatten(state()), {"phase": 1, "seconds": 0.1})
    restored = saved.restore()
    assert restored.meta == {"phase": 1, "seconds": 0.1}
    expected = state()
    result = fill(jax.eval_shape(lambda: expected), restored.leaves)
    chex.assert_trees_all_equal_structs(result, expected)
    for got, leaf in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
        assert got.dtype == leaf.dtype
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            got, leaf = jax.random.key_data(got), jax.random.key_data(leaf)
        np.testing.assert_array_equal(got, leaf)
    assert saved.path(4) == tmp_path / "checkpoints" / "4"


def test_keeps_the_newest(saved, tmp_path):
    for step in (0, 3, 5, 8):
        saved.save(step, flatten(state(step)), {"step": step})
    assert saved.latest == 8
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["5", "8"]


def test_another_systems_state_is_refused(saved):
    saved.save(1, flatten({"w": jnp.zeros(3)}), {})
    leaves = saved.restore().leaves
    with pytest.raises(CheckpointError, match=r"\['v'\] is absent, not float32\[3\]"):
        fill({"v": jnp.zeros(3)}, leaves)
    with pytest.raises(CheckpointError, match=r"\['w'\] is float32\[3\], not float32\[4\]"):
        fill({"w": jnp.zeros(4)}, leaves)
    with pytest.raises(CheckpointError, match=r"\['w'\] is float32\[3\], not int32\[3\]"):
        fill({"w": jnp.zeros(3, int)}, leaves)


# A read that fails leaves futures behind that find Orbax's event loop closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("how", ["delete", "truncate", "flip"])
def test_no_damage_to_any_file_goes_unnoticed(tmp_path, caplog, how):
    original = tmp_path / "original"
    original.mkdir()
    checkpoints = Checkpoints(original, keep=2)
    good, newest = flatten(state(1)), flatten(state(2))
    checkpoints.save(1, good, {"step": 1})
    checkpoints.save(2, newest, {"step": 2})
    checkpoints.close()
    noticed = 0
    for number, path in enumerate(sorted(p for p in original.rglob("2/**/*") if p.is_file())):
        folder = tmp_path / str(number)
        shutil.copytree(original, folder)
        harm(folder / path.relative_to(original), how)
        caplog.clear()
        damaged = Checkpoints(folder, keep=2)
        restored = damaged.restore(set_aside=True)
        # Some files are spare. Where one is not, the step before is used and this one kept aside.
        aside = folder / "damaged_checkpoints" / "2_0"
        expected = good if aside.exists() else newest
        chex.assert_trees_all_equal(restored.leaves, expected)
        assert restored.meta == {"step": 1 if aside.exists() else 2}
        if aside.exists():
            noticed += 1
            assert f"{folder / 'checkpoints' / '2'} is damaged" in caplog.text
            assert damaged.latest == 1
            damaged.save(2, newest, {"step": 2})
            assert damaged.restore().meta == {"step": 2}
        damaged.close()
    assert noticed >= 3


def test_changed_numbers_of_good_form_are_noticed(saved, tmp_path):
    saved.save(1, flatten(state(1)), {"step": 1})
    saved.save(2, flatten(state(2)), {"step": 2})
    content = tmp_path / "checkpoints" / "2" / "content" / "metadata"
    content.write_text(content.read_text().replace('"step": 2', '"step": 3'))
    assert saved.restore().meta == {"step": 1}


def test_where_none_can_be_read_nothing_is_moved(saved, tmp_path):
    for step in (1, 2):
        saved.save(step, flatten(state()), {})
        shutil.rmtree(tmp_path / "checkpoints" / str(step) / "state")
    message = f"no checkpoint can be read: {tmp_path}/checkpoints/2 .*; {tmp_path}/checkpoints/1 .*"
    with pytest.raises(CheckpointError, match=f"^{message}; nothing was moved; delete {tmp_path}"):
        saved.restore(set_aside=True)
    assert steps_in(tmp_path) == ["1", "2"]


def steps_in(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_a_damaged_one_is_moved_only_where_it_is_asked_for(saved, tmp_path):
    for step in (1, 2):
        saved.save(step, flatten(state(step)), {"step": step})
    harm(tmp_path / "checkpoints" / "2" / "content" / "metadata", "truncate")
    assert saved.restore().meta == {"step": 1}
    assert steps_in(tmp_path) == ["1", "2"]
    assert saved.restore(set_aside=True).meta == {"step": 1}
    assert steps_in(tmp_path) == ["1"]


def failing_reads(monkeypatch, error, newest=2):
    """Lets every read of the newest checkpoint fail."""
    read = Checkpoints._read

    def fail(self, step):
        if step == newest:
            raise error
        return read(self, step)

    monkeypatch.setattr(Checkpoints, "_read", fail)


def test_what_was_written_whole_is_never_moved(saved, tmp_path, monkeypatch):
    for step in (1, 2):
        saved.save(step, flatten(state(step)), {"step": step})
    failing_reads(monkeypatch, ValueError("an unknown codec\nand more"))
    path = tmp_path / "checkpoints" / "2"
    message = rf"checkpoint {path} is as it was written, but .* \(an unknown codec\); nothing was"
    with pytest.raises(CheckpointError, match=message):
        saved.restore(set_aside=True)
    assert steps_in(tmp_path) == ["1", "2"]


def test_files_that_cannot_be_read_just_now_are_no_damage(saved, tmp_path, monkeypatch):
    for step in (1, 2):
        saved.save(step, flatten(state(step)), {"step": step})

    def stale(path):
        raise OSError(116, "Stale file handle", str(path))

    failing_reads(monkeypatch, ValueError("INTERNAL"))
    monkeypatch.setattr(type(tmp_path), "read_bytes", stale)
    message = "checkpoints/2 cannot be read: .*Stale file handle.*; nothing was moved; try again"
    with pytest.raises(CheckpointError, match=message):
        saved.restore(set_aside=True)
    assert steps_in(tmp_path) == ["1", "2"]


def test_the_first_save_is_read_back(tmp_path, monkeypatch):
    saved = Checkpoints(tmp_path, keep=2)
    failing_reads(monkeypatch, ValueError("NOT_FOUND"), newest=1)
    message = "checkpoints/1 cannot be read back .NOT_FOUND.; choose another workdir"
    with pytest.raises(CheckpointError, match=message):
        saved.save(1, flatten(state()), {})
    saved.save(2, flatten(state()), {})
    failing_reads(monkeypatch, ValueError("NOT_FOUND"), newest=3)
    saved.save(3, flatten(state()), {})  # as the one before it
    saved.close()


ODD = ["lr=[1,2]", "a]", "what?", "a*b", "a**b", "back\\slash", "line\nbreak", "caf\udce9", "é %5b"]


@pytest.mark.parametrize("name", ODD)
def test_any_name_of_a_folder_will_do(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    # What a pattern would match, too: another run's folder must not be mixed with it.
    other = tmp_path / name.replace("*", "x").replace("?", "x") / "other"
    other.mkdir(parents=True)
    for place, offset in ((other, 1), (folder, 2)):
        saved = Checkpoints(place, keep=2)
        saved.save(5, flatten(state(offset)), {"offset": offset})
        saved.close()
    before = sorted(path.name for path in tmp_path.iterdir())
    for place, offset in ((other, 1), (folder, 2)):
        saved = Checkpoints(place, keep=2)
        restored = saved.restore()
        chex.assert_trees_all_equal(restored.leaves, flatten(state(offset)))
        assert restored.meta == {"offset": offset}
        assert saved.path(5) == place / "checkpoints" / "5" and saved.path(5).is_dir()
        saved.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_temporary_folder_of_such_a_name_is_refused_beside_one(tmp_path, monkeypatch):
    folder = tmp_path / "lr=[1]"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(WorkdirError, match=r"workdir: .*lr=\[1\]' is not allowed with .*TMPDIR"):
        Checkpoints(folder, keep=2)


def test_full_disk_says_so_and_keeps_the_earlier_checkpoints(saved, tmp_path, caplog):
    random = np.random.RandomState(0)
    first, second = ({"w": random.bytes(400_000)} for _ in range(2))
    first, second = ({"w": np.frombuffer(x["w"], np.uint8)} for x in (first, second))
    saved.save(1, first, {"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(CheckpointError) as caught:
            saved.save(2, second, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "File too large" in str(caught.value)
    assert not caplog.records  # Orbax would add a traceback
    assert f"the last good one is {tmp_path / 'checkpoints' / '1'}" in str(caught.value)
    restored = saved.restore()
    chex.assert_trees_all_equal(restored.leaves, first)
    saved.save(2, second, {"step": 2})
    chex.assert_trees_all_equal(saved.restore().leaves, second)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(WorkdirError, match="cannot write .*checkpoints: File exists"):
        Checkpoints(tmp_path, keep=2)
