"""What is told of a machine, an environment or a terminal that a run cannot live with."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from systems.icm import tiny

from icm_jax import cache, environment, experiment, paths

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
    assert re.fullmatch(f"{message}.*\n", err), err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "variables",
    [
        # What a notebook sets, warnings as errors, a backend that is not there, a damaged style;
        # Matplotlib is imported in both.
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "PYTHONWARNINGS": "error"},
        {"MPLBACKEND": "none", "MATPLOTLIBRC": b"text.usetex: True\n\xff"},
    ],
)
def test_what_a_user_set_for_other_programs_does_not_matter(variables, tmp_path):
    if "MATPLOTLIBRC" in variables:
        (tmp_path / "matplotlibrc").write_bytes(variables["MATPLOTLIBRC"])
        variables = variables | {"MATPLOTLIBRC": str(tmp_path)}
    flags = (MNIST, "--config.seed=-1", f"--workdir={tmp_path / 'run'}")
    status, _, err = said(program(*flags, **variables))
    assert (status, err.splitlines()[-1]) == (
        1,
        "error: seed: -1 is not allowed; it must be from 0 to 2**32 - 1",
    )


def test_without_a_home_folder_nothing_is_kept(monkeypatch, caplog):
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # for a user without a name
    assert cache.compiled() is None
    assert "there is no home folder: nothing that is compiled is kept" in caplog.text
    kept = cache.folder("faces") / "a.npz"
    with pytest.raises(NotADirectoryError):
        kept.read_bytes()
    with pytest.raises(OSError):
        kept.parent.mkdir(parents=True)
    with pytest.raises(ValueError, match="^--workdir: '~/a' has a home folder that is not known"):
        paths.local("~/a", "--workdir")


def test_where_compiled_programs_are_kept(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    assert cache.compiled() == str(tmp_path / ".cache" / "icm_jax" / "compiled")
    for chosen, expected in {
        "gs://bucket/cache": "gs://bucket/cache",
        "~/kept": f"{tmp_path}/kept",
        str(tmp_path / "a"): f"{tmp_path}/a",
    }.items():
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", chosen)
        assert cache.compiled() == expected
    assert not caplog.records
    for chosen, message in {"/dev/null/a": "Not a directory", "~nobody_/a": "not known"}.items():
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", chosen)
        caplog.clear()
        assert cache.compiled() is None
        assert re.search(f"nothing that is compiled is kept .*{message}", caplog.text)


def test_the_home_in_the_path_of_a_config(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    for arguments in (["--config=~/a.py:b"], ["--config", "~/a.py:b"]):
        assert environment.with_config(["x", *arguments]) == ["x", "--config=/somewhere/a.py:b"]


# As launch.py is: all that it is made of here is the standard library.
IMPORTING = """
import sys
from icm_jax import environment
environment.prepare()
{importing}
environment.ready()
with environment.quiet_end():
    {running}
"""


def small(importing="", running="pass", stdout=subprocess.PIPE, **variables):
    """A program as launch.py is, without its imports."""
    stub = "import sys, types; sys.modules['icm_jax'] = package = types.ModuleType('icm_jax'); "
    stub += f"package.__path__ = [{str(ROOT / 'icm_jax')!r}]"
    return subprocess.Popen(
        [sys.executable, "-c", stub + IMPORTING.format(importing=importing, running=running)],
        env=os.environ | {"PYTHONUNBUFFERED": ""} | variables,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def heard():
    """SIGINT reaches programs that are begun, as it does not from a job in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("when", ["importing", "running"])
def test_ctrl_c_leaves_no_traceback(when):
    process = small(**{when: "print('in', flush=True); import time; time.sleep(60)"})
    assert process.stdout.readline() == "in\n"
    process.send_signal(signal.SIGINT)
    expected = -signal.SIGINT if when == "importing" else 128 + signal.SIGINT
    assert said(process) == (expected, "", "")


@pytest.mark.parametrize("running", ["print(1)", "print(1); sys.exit(0)", "print(1, flush=True)"])
def test_a_reader_that_is_gone_ends_it_in_silence(running):
    reading, writing = os.pipe()
    os.close(reading)
    status, _, err = said(small(running=running, stdout=writing))
    os.close(writing)
    assert (status, err) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("running", ["print(1)", "print('1' * 10**5)"])
def test_an_output_that_cannot_be_written_is_told_in_a_line(running):
    with open("/dev/full", "w") as full:
        status, _, err = said(small(running=running, stdout=full))
    assert (status, err) == (1, "error: cannot write the output: No space left on device\n")


def test_an_end_with_a_status_or_an_error_stays():
    assert said(small(running="sys.exit(3)")) == (3, "", "")
    status, out, err = said(small(running="print(1); 1 / 0"))
    assert (status, out) == (1, "1\n") and err.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    ("importing", "message"),
    [
        (
            "import nothing_there",
            "No module named 'nothing_there'; pip install -r requirements.txt",
        ),
        ("import json; json.loads('?')", "an import failed, in .*decoder.py: JSONDecodeError: .*"),
    ],
)
def test_what_cannot_be_imported_is_told_in_a_line(importing, message):
    status, out, err = said(small(importing=importing))
    assert (status, out) == (1, "") and re.fullmatch(f"error: {message}\n", err), err


def test_warnings_are_no_errors():
    warns = "import warnings; warnings.warn('changes', DeprecationWarning)"
    status, _, err = said(small(importing=warns, PYTHONWARNINGS="error"))
    assert status == 0 and "DeprecationWarning: changes" in err


TELLING = """
    def tell(): sys.excepthook(RuntimeError, RuntimeError({message!r}), None)
    import threading
    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
"""


def test_threads_of_a_failed_save_are_silent_and_others_are_not():
    assert said(small(running=TELLING.format(message="Event loop is closed"))) == (0, "", "")
    _, _, err = said(small(running=TELLING.format(message="another")))
    assert err == "RuntimeError: another\n"
