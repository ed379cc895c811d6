"""What is told of a machine, an environment or a terminal that a run cannot live with."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from systems.icm import tiny

from icm_jax import environment, experiment

ROOT = Path(__file__).parents[1]
MNIST = "--config=configs/mnist.py"


def program(*arguments, stdout=subprocess.PIPE, without=(), **variables):
    """launch.py in a process of its own, with variables set and others left out."""
    kept = {name: value for name, value in os.environ.items() if name not in without}
    return subprocess.Popen(
        [sys.executable, "launch.py", *map(str, arguments)],
        cwd=ROOT,
        env=kept | {"JAX_PLATFORMS": "cpu"} | variables,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


NEEDED = [
    ("jax_enable_x64", True, "False"),
    ("jax_disable_jit", True, "False"),
    ("jax_debug_nans", True, "False"),
    ("jax_debug_infs", True, "False"),
    ("jax_debug_key_reuse", True, "False"),
    ("jax_numpy_dtype_promotion", "strict", "'standard'"),
    ("jax_default_prng_impl", "rbg", "'threefry2x32'"),
    ("jax_threefry_partitionable", False, "True"),
    ("jax_transfer_guard_host_to_device", "disallow", "None"),
]


@pytest.mark.parametrize(("name", "value", "needed"), NEEDED)
def test_a_setting_that_a_run_cannot_live_with_is_refused_before_it(name, value, needed, tmp_path):
    before = getattr(jax.config, name)
    config = tiny.icm()
    config.replicas = 1
    systems = experiment.build(config, tiny.splits())
    runs = [experiment.Seeded(systems[0], 0, {})]
    every = {"log_every": 1, "evaluate_every": 1, "checkpoint_every": 1, "keep": 1}
    message = (
        f"^{name.upper()}: {value!r} is not allowed, .*; set it to {needed} in the environment"
    )
    try:
        jax.config.update(name, value)
        with pytest.raises(ValueError, match=message):
            experiment.train(runs, tmp_path / "run", config={}, **every)
    finally:
        jax.config.update(name, before)
    assert not (tmp_path / "run").exists()
    environment.require_jax()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"JAX_ENABLE_X64": "1"}, "error: JAX_ENABLE_X64: True is not allowed, all numbers here"),
        ({"JAX_ENABLE_X64": "maybe"}, "error: an import failed, in .*'maybe'.*JAX_ENABLE_X64"),
        ({"JAX_PLATFORMS": "cuda"}, "error: JAX_PLATFORMS: 'cuda' cannot be used here.*; leave it"),
    ],
)
def test_variables_of_jax_are_refused_in_a_line(variables, message, tmp_path):
    if "JAX_PLATFORMS" in variables and jax.default_backend() == "gpu":
        variables, message = {"JAX_PLATFORMS": "tpu"}, message.replace("cuda", "tpu")
    status, out, err = said(program(MNIST, f"--workdir={tmp_path / 'run'}", **variables))
    assert (status, out) == (1, "")
    import re

    assert re.fullmatch(f"{message}.*\n", err), err
    assert not (tmp_path / "run").exists()
