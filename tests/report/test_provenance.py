import json
import os
import platform
import re
import shlex

import flax
import jax
import pytest

from icm_jax.report import provenance


def test_machine_versions_and_date():
    found = provenance.collect(["launch.py"], range(3, 5))
    assert json.loads(json.dumps(found)) == found
    assert found["command"] == ["python", "launch.py"] and found["seeds"] == [3, 4]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["date"])
    assert found["devices"] == [device.device_kind for device in jax.devices()]
    assert 1 <= found["cores"] <= os.cpu_count() and found["processor"]
    assert found["versions"]["python"] == platform.python_version()
    assert found["versions"]["jax"] == jax.__version__
    assert found["versions"]["flax"] == flax.__version__
    assert set(found["versions"]) == {"python", "jax", "jaxlib", "flax", "optax"}


def test_no_name_and_no_path_of_the_machine_is_told():
    found = provenance.collect(None, [0])
    assert found.pop("command") is None
    names = {"date", "seeds", "processor", "cores", "devices", "versions"}
    assert set(found) == names and os.sep + "home" not in json.dumps(found)
    assert os.getcwd() not in json.dumps(found)


@pytest.mark.parametrize(
    "argument, word",
    [
        ("--config=configs/mnist.py", "--config=configs/mnist.py"),
        ("--config.mechanisms=('a', 'b')", "--config.mechanisms=\"('a', 'b')\""),
        ("--workdir=my runs", '--workdir="my runs"'),
        ("--workdir=$HOME", "'--workdir=$HOME'"),
        ("my file", "'my file'"),
    ],
)
def test_the_command_can_be_typed_again(argument, word):
    assert provenance.collect(["launch.py", argument], [0])["command"][2] == word
    assert shlex.split(word) == [argument]
