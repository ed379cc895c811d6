"""Settings for all tests, and for the processes that they start."""

import atexit
import gc
import os
import shutil
import tempfile
from importlib import metadata

# The tests run tiny programs once: most of their time is compilation.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "true"
# The older of XLA's two ways to write a kernel compiles faster by a third. JAX 0.10 has both; a
# later one ends at a flag that it does not know.
_FLAG = "--xla_cpu_use_fusion_emitters=false"
if metadata.version("jaxlib").startswith("0.10.") and _FLAG not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_FLAG}"
# What is compiled is compiled once for all workers and the processes that tests start: those of
# the process that sets the folder first. It is removed at the end; a folder that is set stays.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="icm_jax_tests_")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
# No judge of an earlier run.
os.environ["ICM_JAX_PARTS"] = ""
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import jax  # noqa: E402
import pytest  # noqa: E402
from systems.icm import tiny  # noqa: E402

from icm_jax import experiment  # noqa: E402

# What is imported stays: no garbage is looked for among it, each time that a trace makes some.
gc.freeze()
# A trace makes many objects that live until its end: a look at each thousand of them is in vain.
gc.set_threshold(100_000, 50, 50)
# What is summed by accident of broadcasting is an error.
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def folder_run(tmp_path_factory):
    """The folder and the config of a finished run, whose data are in a folder of images."""
    root = tmp_path_factory.mktemp("folder_run")
    config = tiny.icm()
    # No step need be compiled: what it learned does not matter.
    config.classifier.steps = config.initialization.steps = config.competition.steps = 0
    config.data.source, config.data.dir = "folder", str(root / "images")
    tiny.write(tiny.splits(), root / "images")
    experiment.run(config, root / "run")
    return root / "run", config
