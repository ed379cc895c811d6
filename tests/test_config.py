import json

import pytest

from icm_jax import config, default_config
from icm_jax.systems import registry


def test_a_config_goes_through_json_and_back(tmp_path):
    c = default_config("icm")
    c.mechanisms = ("invert", {"name": "noise", "std": 0.1})
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict(c)))
    again = config.from_workdir(tmp_path)
    registry.validate(again)
    assert config.to_dict(again) == config.to_dict(c)
    with pytest.raises(ValueError, match="workdir: no config can be read from .*nowhere"):
        config.from_workdir(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff"])
def test_a_damaged_config_is_named(content, tmp_path):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match="^workdir: .*config.json is no config: .*; restore it$"):
        config.from_workdir(tmp_path)
