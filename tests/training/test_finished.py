"""What is read of a finished run, of whichever system."""

import json

import jax.numpy as jnp
import pytest
from systems.toy_system import TOY

from icm_jax import default_config, experiment, training
from icm_jax.systems import registry
from icm_jax.training import finished


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of seeds 3 and 4, and their states."""
    workdir = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.SYSTEMS, "toy", TOY)
        config = default_config("toy")
        config.seed, config.replicas = 3, 2
        return workdir, experiment.run(config, workdir).state


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(registry.SYSTEMS, "toy", TOY)


def init(key):
    return {"mean": jnp.float32(0)}


def test_the_state_of_one_seed_is_read_with_its_config_and_summary(run):
    workdir, states = run
    assert states[0]["mean"] != states[1]["mean"]
    for seed, state in zip((3, 4), states, strict=True):
        one = finished.read(workdir / f"seed_{seed}")
        assert one.folder == workdir.resolve() / f"seed_{seed}" and one.config.seed == seed
        assert one.saved().state(init) == {"mean": state["mean"]}
        assert one.said("seed") == seed
        # A part of the state is enough, and what was not saved is missed.
        assert one.saved().state(lambda key: {}) == {}
        with pytest.raises(training.CheckpointError, match="'median'. is absent, not float32"):
            one.saved().state(lambda key: {"median": jnp.float32(0)})


def test_what_is_no_finished_run_of_one_seed_is_refused(run, tmp_path):
    workdir = run[0].resolve()
    message = f"workdir: {workdir} holds several seeds; choose one of {workdir}/seed_3, "
    with pytest.raises(training.WorkdirError, match=message):
        finished.read(workdir)
    with pytest.raises(ValueError, match="workdir: no config can be read from"):
        finished.read(tmp_path)
    for name in ("config.json", "summary.json"):
        if name == "summary.json":
            with pytest.raises(training.WorkdirError, match="is not finished; train it first"):
                finished.read(tmp_path)
        (tmp_path / name).write_bytes((workdir / "seed_3" / name).read_bytes())
    alone = finished.read(tmp_path)
    with pytest.raises(training.WorkdirError, match=f"there are no checkpoints in {tmp_path}"):
        alone.saved()
    with pytest.raises(training.WorkdirError, match="summary.json says no height; evaluate the"):
        alone.said("height")


@pytest.mark.usefixtures("toy")
def test_one_seed_of_several_is_not_evaluated_and_stays_as_it_is(run):
    workdir = run[0].resolve()
    config = default_config("toy")
    config.seed = 3
    message = f"^{workdir}/seed_3 is one of several seeds; evaluate {workdir}$"
    with pytest.raises(training.WorkdirError, match=message):
        experiment.run(config, workdir / "seed_3", "evaluate")
    assert not (workdir / "seed_3" / "checkpoints").exists()
    (workdir / "seed_3" / "checkpoints").mkdir()  # as a run leaves that is killed at once
    assert finished.read(workdir / "seed_3").saved().state(init) == {"mean": run[1][0]["mean"]}
    (workdir / "seed_3" / "checkpoints").rmdir()


@pytest.mark.usefixtures("toy")
def test_a_part_of_a_run_is_told_apart(run, tmp_path):
    part = tmp_path / "part"
    part.mkdir()
    (tmp_path / "config.json").touch()
    for name in ("config.json", "summary.json"):
        (part / name).write_bytes((run[0] / "seed_3" / name).read_bytes())
    said = json.loads((part / "summary.json").read_text())
    (part / "summary.json").write_text(json.dumps(said | {"system": "classification"}))
    message = f"workdir: {part} is a part of the run in {tmp_path}; give that"
    with pytest.raises(training.WorkdirError, match=message):
        finished.read(part)
