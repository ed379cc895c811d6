import pytest
from systems.counterfactual.generation import tiny

from icm_jax import experiment


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A finished run of the tiny generator: its folder, and what it came to."""
    workdir = tmp_path_factory.mktemp("run")
    return workdir, experiment.run(tiny.counterfactual(), workdir, data=tiny.squares())
