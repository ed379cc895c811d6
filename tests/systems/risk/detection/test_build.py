"""The detector as a system: its banks, weights and phases, killed and resumed, on four devices."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crashes import Crash, crashing
from devices import step_on_devices
from systems.risk.detection import tiny

from icm_jax import experiment
from icm_jax.systems.risk.detection import state
from icm_jax.systems.risk.detection.build import build_seeds
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.progress import Progress


@pytest.fixture(autouse=True)
def small(monkeypatch):
    tiny.make_small(monkeypatch)


def build(choice="conflict,density", axis_name=None, **fields):
    config = tiny.risk_faces(choice)
    config.update_from_flattened_dict(fields)
    return build_seeds(config, tiny.blobs(), [config.seed], axis_name)[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose faces are drawn by their density, and by their uncertainty."""
    workdir = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        tiny.make_small(patch)
        config = tiny.risk_faces("conflict,both")
        return workdir, experiment.run(config, workdir, data=tiny.blobs())


def test_banks_hold_faces_alone_and_rare_ones_are_drawn_more_often(run):
    _, result = run
    (world,) = (build().given,)
    faces = world["labels"] == 1
    bank = result.state.variables["risk"]["density"].bank
    assert bank.count == 20  # as many of 30 faces as it holds, at each evaluation anew
    weights = np.asarray(result.state.weights)
    assert (weights[~faces] == 1).all()
    assert weights[faces].min() == 1 and 1 < weights[faces].max() <= 50
    first = np.asarray(result.state.first_density)
    assert not first[~faces].any() and first[faces].all()


def test_a_run_killed_within_an_epoch_goes_on_bit_for_bit(tmp_path, monkeypatch, run):
    crashes = [
        (Progress, "advance", 0, False),  # within the first epoch, nothing is saved
        (Checkpoints, "save", 0, True),  # after the first weights
        (Progress, "advance", 0, True),  # within the second epoch
    ]
    config = tiny.risk_faces("conflict,both")
    for owner, name, at, after in crashes:
        with monkeypatch.context() as patch, pytest.raises(Crash):
            crashing(patch, owner, name, at, after)
            experiment.run(config, tmp_path, data=tiny.blobs())
    resumed = experiment.run(config, tmp_path, data=tiny.blobs())
    workdir, result = run
    chex.assert_trees_all_equal(resumed.state, result.state)
    assert (tmp_path / "metrics.jsonl").read_bytes() == (workdir / "metrics.jsonl").read_bytes()


def test_groups_that_are_told_are_drawn_equally_often():
    system = build("conflict,oracle")
    (phase,) = system.phases
    begun = phase.begin(state.State((), (), np.ones(60), (), ()), system.given, None)
    faces, group = system.given["labels"] == 1, system.given["group"]
    for part in (faces, ~faces):
        sums = [begun.weights[part & (group == g)].sum() for g in (0, 1)]
        assert sums[0] == pytest.approx(sums[1]) == pytest.approx(part.sum() / 2)


def test_the_most_uncertain_images_are_taken_out_and_stay_out(monkeypatch):
    system = build("noise,clean", **{"cleaning.share": 0.25, "resampling.by": "density"})
    _, cleaned = system.phases
    uncertain = np.arange(60.0)
    risk = state.Risk(np.zeros((60, 2)), aleatoric=uncertain, density=-uncertain)
    monkeypatch.setattr(state.Detector, "describe", lambda self, v, x: risk[-len(x) :])
    monkeypatch.setattr(state, "_fill", lambda detector, variables, images, order: variables)
    first = jax.jit(system.init)(jax.random.key(0))
    begun = cleaned.begin(first, system.given, jax.random.key(3))
    assert np.flatnonzero(begun.weights == 0).tolist() == list(range(45, 60))
    kernels = [s.variables["params"]["network"]["Dense_0"]["kernel"] for s in (first, begun)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.01  # from another beginning
    faces = np.flatnonzero(system.given["labels"] == 1)
    after = np.asarray(cleaned.observe(begun, system.given).weights)
    assert (after[faces[faces >= 45]] == 0).all()
    assert (after[faces[faces < 45]] >= 1).all()


def test_a_class_of_which_nothing_would_stay_is_told(monkeypatch):
    system = build("noise,clean", **{"cleaning.share": 0.6})
    faces = np.asarray(system.given["labels"]) == 1
    risk = state.Risk(np.zeros((60, 2)), aleatoric=faces.astype(float))
    monkeypatch.setattr(state.Detector, "describe", lambda self, v, x: risk)
    first = jax.jit(system.init)(jax.random.key(0))
    with pytest.raises(ValueError, match="^cleaning.share: 0.6 leaves no image of class 1; it"):
        system.phases[1].begin(first, system.given, jax.random.key(3))


@pytest.mark.parametrize("method", ["erm", "group_dro"])
def test_four_devices_learn_what_one_does(method):
    # Devices would drop other units than one does, and noise of the autoencoder is their own.
    still = {"model.dropout": 0.0, "model.latent": 0}
    one, four = (build(f"conflict,{method}", axis, **still) for axis in (None, "devices"))
    first = jax.jit(one.init)(jax.random.key(0))
    data = jax.tree.map(jnp.asarray, one.given)

    steps = one.phases[0].step, four.phases[0].step
    (alone, metrics), each = step_on_devices(*steps, first, data, jax.random.key(1), count=4)
    of_first, *others = each
    for other in others:
        chex.assert_trees_all_equal(other, of_first)
    chex.assert_trees_all_close(of_first[1], metrics, rtol=1e-4)
    moments = [s.opt_state[0].mu for s in (of_first[0], alone)]
    chex.assert_trees_all_close(*moments, rtol=1e-2, atol=1e-5)
    if method == "group_dro":
        chex.assert_trees_all_close(of_first[0].cells, alone.cells, rtol=1e-4)
        assert np.abs(alone.cells - 0.25).max() > 1e-4


def test_group_dro_weighs_what_is_detected_not_what_is_reconstructed():
    """The autoencoder's loss, of faces alone, is a thousand times that of the output."""
    system = build("conflict,group_dro", **{"model.weight": 1000.0})
    first = jax.jit(system.init)(jax.random.key(0))
    data = jax.tree.map(jnp.asarray, system.given)
    after, metrics = jax.jit(system.phases[0].step)(first, data, jax.random.key(1))
    assert metrics["loss"].total / metrics["loss"].count > 1000
    # Each of four cells had 1/4; losses of the output are near log 2 for all, the rate is 0.05.
    np.testing.assert_allclose(after.cells, np.full(4, 0.25), atol=0.02)
    assert np.ptp(after.cells) > 0
    decoder = [s.variables["params"]["vae"]["bias"] for s in (first, after)]
    assert np.abs(decoder[0] - decoder[1]).max() > 0  # it learns all the same
