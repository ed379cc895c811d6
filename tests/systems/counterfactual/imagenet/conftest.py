import pytest
from systems.counterfactual.imagenet import tiny


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    tiny.put_in_place(monkeypatch)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A finished run of the tiny generator: its folder, and what it came to."""
    from icm_jax import experiment

    workdir = tmp_path_factory.mktemp("imagenet")
    with pytest.MonkeyPatch.context() as patch:
        tiny.put_in_place(patch)
        return workdir, experiment.run(tiny.generator(), workdir)
