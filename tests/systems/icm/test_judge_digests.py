"""What a judge belongs to: runs of a study whose digests are the same share one."""

import pytest
from ml_collections import ConfigDict

from icm_jax import default_config, mechanisms
from icm_jax.systems.icm.judge import digests


def fields(made, prefix=""):
    """All fields with their values: `("data.groups.attribute", "")`."""
    for name, value in made.items():
        if isinstance(value, ConfigDict):
            yield from fields(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def another(value):
    """A value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return value[1:] or (1,)
    return value + type(value)(1)


@pytest.mark.parametrize(
    ("learns", "apart"),
    [
        # All images of a data set, whatever the experts see of them.
        ("labels", ("data.labels", "data.canonical", "data.groups.")),
        ("canonical", ()),
    ],
)
def test_a_judge_belongs_to_all_that_it_learns_from_and_to_nothing_else(learns, apart):
    made = default_config("icm")
    made.classifier.learns = learns
    shared, parted = digests(made), set()
    for field, value in fields(made):
        other = made.copy_and_resolve_references()
        other.update_from_flattened_dict({field: another(value)})
        if digests(other) != shared:
            parted.add(field)
    learned_from = ("seed", "replicas", "precision", "convolution", "classifier.", "data.")
    learned_from += ("mechanisms", "mixture") if learns == "canonical" else ()
    names = [field for field, _ in fields(made)]
    assert parted == {f for f in names if f.startswith(learned_from) and not f.startswith(apart)}
    assert {"data.source", "data.name", "data.dir"} < parted < set(names)


def test_what_learns_from_code_of_ones_own_is_shared_with_nobody():
    made = default_config("icm")
    made.mechanisms = ("invert", "dim")
    mechanisms.register("dim")(lambda key, image: image / 2)
    try:
        assert list(digests(made)) == ["classifier"]
        made.classifier.learns = "canonical"
        assert digests(made) == {}
        made.mechanisms = ("invert", {"name": "any_of", "of": ("noise", "dim")})
        assert digests(made) == {}
    finally:
        mechanisms.unregister("dim")


def test_a_judge_belongs_to_what_lies_in_a_folder(tmp_path):
    made = default_config("icm")
    made.data.source, made.data.dir = "folder", str(tmp_path)
    found = []
    for content in (b"an image", b"another image"):
        (tmp_path / "a.png").write_bytes(content)
        found.append(digests(made))
    (tmp_path / "b.png").write_bytes(b"")
    found.append(digests(made))
    (tmp_path / "a.png").unlink()
    found.append(digests(made))
    assert found[-1] == digests(made)
    assert len({of["classifier"] for of in found}) == len(found)
