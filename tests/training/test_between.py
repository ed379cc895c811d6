"""What a phase does between steps: when it begins, and where it observes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crashes import Crash, crashing
from training import toy

from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.progress import Progress


def system(log=None):
    """The toy, with a phase that begins with random weights and remembers what it observed."""
    log = [] if log is None else log
    base = toy.system()

    def init(key):
        return toy.init(key) | {"seen": jnp.int32(0), "best": jnp.float32(-jnp.inf)}

    def begin(state, data, key):
        log.append("begin")
        # Twice would be another number: what is drawn is added.
        drawn = np.asarray(jax.random.normal(key, (3,))) + data["targets"].mean()
        return state | {"w": np.asarray(state["w"]) + drawn, "count": np.int32(0)}

    def observe(state, data):
        log.append(int(state["count"]))
        score = -np.square(data["targets"] - data["inputs"] / 255.0 @ state["w"]).mean()
        best = np.maximum(state["best"], np.float32(score))
        return state | {"seen": state["seen"] + 1, "best": best}

    def step(state, data, key):
        new, metrics = toy.step(state, data, key, 0.3)
        return state | new, metrics

    def kept(state, data, key):
        new, metrics = toy.step(state, data, key, 0.01)
        return state | new, metrics

    warmup, fit = base.phases
    fit = fit._replace(step=step, begin=begin, observe=observe)
    return base._replace(init=init, phases=(warmup._replace(step=kept), fit))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    log = []
    folder = tmp_path_factory.mktemp("whole")
    return toy.train(folder, system(log)).state, log, (folder / "metrics.jsonl").read_bytes()


def test_a_phase_begins_once_and_observes_where_it_evaluates(whole):
    state, log, _ = whole
    assert log == ["begin", 10, 20, 30]
    assert state["seen"] == 3 and -0.1 < state["best"] < 0


def test_phases_and_seeds_begin_with_keys_of_their_own(tmp_path):
    keys = []

    def begin(state, data, key):
        keys.append(jax.random.key_data(key).tolist())
        return state

    base = toy.system(steps=(1, 1))
    phases = tuple(phase._replace(begin=begin) for phase in base.phases)
    toy.train_several(tmp_path, toy.several(base._replace(phases=phases), seeds=(3, 4)))
    assert len({tuple(key) for key in keys}) == len(keys) == 4


@pytest.mark.parametrize(
    ("owner", "name", "at", "after"),
    [
        (Progress, "advance", 13, False),  # at the first step of the second phase
        (Checkpoints, "save", 1, True),  # between the phases
        (Progress, "advance", 22, False),  # before step 10 of the second phase was observed
        (Progress, "advance", 23, False),  # after it was, before it was saved
        (Progress, "advance", 31, False),
        (Checkpoints, "save", 5, False),  # after the last observation
        (Checkpoints, "save", 6, True),
    ],
)
def test_it_goes_on_bit_for_bit(tmp_path, monkeypatch, whole, owner, name, at, after):
    with monkeypatch.context() as patch, pytest.raises(Crash):
        crashing(patch, owner, name, at, after)
        toy.train(tmp_path, system())
    state, _, records = whole
    resumed = toy.train(tmp_path, system())
    for leaf, expected in zip(*map(jax.tree.leaves, (resumed.state, state)), strict=True):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf, expected = jax.random.key_data(leaf), jax.random.key_data(expected)
        np.testing.assert_array_equal(leaf, expected)
    assert (tmp_path / "metrics.jsonl").read_bytes() == records


def test_replicas_begin_and_observe_each_for_itself(tmp_path):
    runs = toy.several(system())
    together = toy.train_several(tmp_path / "all", runs)
    alone = toy.train_several(tmp_path / "one", [runs[1]])
    state, expected = together.state[1], alone.state
    assert state["seen"] == expected["seen"] == 3
    for name in ("w", "best"):
        np.testing.assert_allclose(state[name], expected[name], rtol=1e-4)


def test_files_of_an_evaluation_are_left_in_the_folder(tmp_path):
    def evaluate(*args):
        return toy.evaluate(*args)._replace(files={"weights.txt": "three\n"})

    toy.train(tmp_path, toy.system(evaluate=evaluate))
    assert (tmp_path / "weights.txt").read_text() == "three\n"
