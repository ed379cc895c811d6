import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import toy

from icm_jax.training import devices as devices_module
from icm_jax.training.devices import AXIS, Devices, local


def add(carry, data):
    share = jax.lax.psum(data.astype(jnp.float32).sum(), AXIS) / jax.lax.axis_size(AXIS)
    return {"sum": carry["sum"] + share, "key": carry["key"]}


@pytest.mark.parametrize("loops", [False, True])
def test_compiled_step_donates_and_compiles_nothing_later(caplog, loops):
    devices = Devices(loops=loops)
    carry = devices.put({"sum": np.float32(1), "key": jax.random.key(0)})
    data = devices.put(np.array([1, 2, 250], np.uint8))
    assert data.dtype == np.uint8
    with jax.log_compiles():
        step = devices.compile(add, carry, data)
        assert "Compiling" in caplog.text
        caplog.clear()
        first, taken = step(carry, data, 3)
        assert taken == (3 if loops else 1)
        second, more = step(first, data, 2)
        assert more == (2 if loops else 1)
        assert "ompil" not in caplog.text
    assert carry["sum"].is_deleted() and first["sum"].is_deleted()
    assert not data.is_deleted()
    assert local(second)["sum"] == 1 + (taken + more) * 253


def test_cpu_takes_one_step_a_call():
    devices = Devices()
    step = devices.compile(add, devices.put({"sum": 0.0, "key": 0}), devices.put(np.ones(3)))
    assert step(devices.put({"sum": 0.0, "key": 0}), devices.put(np.ones(3)), 9)[1] == 1


@pytest.fixture
def as_shipped():
    """Compiles as outside of tests: see tests/conftest.py."""
    name = "jax_disable_most_optimizations"
    before = jax.config.read(name)
    jax.config.update(name, False)
    yield
    jax.config.update(name, before)


def test_the_compiler_knows_the_options_for_cpus(as_shipped, monkeypatch):
    devices = Devices()
    carry, data = devices.put({"sum": np.float32(1), "key": 0}), devices.put(np.ones(3))
    assert devices.jit(lambda x: x + 1)(1.0) == 2
    assert devices.compile(add, carry, data)(carry, data, 1)[0]["sum"] == 4
    # It is given them: one that it does not know is an error.
    monkeypatch.setitem(devices_module._CPU_OPTIONS, "xla_no_such_option", 1)
    devices = Devices()
    carry = devices.put({"sum": np.float32(1), "key": 0})
    with pytest.raises(jax.errors.JaxRuntimeError, match="No such compile option"):
        devices.jit(lambda x: x + 1)(1.0)
    with pytest.raises(jax.errors.JaxRuntimeError, match="No such compile option"):
        devices.compile(add, carry, data)


def test_largest_of_one_process():
    assert int(Devices().largest(15)) == 15


def test_put_never_shares_what_may_be_donated():
    devices = Devices()
    host = np.zeros((64, 64), np.float32)
    twice = jnp.ones(3)
    carry = devices.put({"a": twice, "b": twice, "host": host})
    step = devices.compile(lambda c, _: jax.tree.map(lambda x: x + 1, c), carry, ())
    result, _ = step(carry, (), 1)
    np.testing.assert_array_equal(result["a"], [2, 2, 2])
    np.testing.assert_array_equal(twice, [1, 1, 1])
    np.testing.assert_array_equal(host, np.zeros((64, 64)))


def test_shapes_runs_nothing():
    shapes = Devices().shapes(add, {"sum": jnp.float32(0), "key": jax.random.key(0)}, jnp.ones(3))
    assert shapes["sum"] == jax.ShapeDtypeStruct((), jnp.float32)


def test_four_devices_train_as_one(tmp_path):
    root = Path(__file__).parents[2]
    flags = os.environ.get("XLA_FLAGS", "")
    environment = os.environ | {
        "PYTHONPATH": str(root),
        "XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count=4",
    }
    program = [sys.executable, str(root / "tests" / "training" / "toy.py"), str(tmp_path / "four")]
    done = subprocess.run(program, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2] == "4"
    w = np.frombuffer(bytes.fromhex(done.stdout.split()[-1]), np.float32)
    one = toy.train(tmp_path / "one")
    np.testing.assert_allclose(w, one.state["w"], rtol=1e-5)
    lines = [
        (tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("four", "one")
    ]
    for four, single in zip(*lines, strict=True):
        four, single = json.loads(four), json.loads(single)
        assert four.keys() == single.keys()
        if "loss" in four:
            np.testing.assert_allclose(four["loss"], single["loss"], rtol=1e-4)
