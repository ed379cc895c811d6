import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.counterfactual import generators

from icm_jax.systems.counterfactual.weights import authors

# Of the published generator: index in the Sequential -> convolution (outputs, inputs), batch norm.
CONVOLUTIONS = {
    "f_shape": {4: (32, 64), 9: (1, 32)},
    "f_text1": {3: (64, 64), 7: (32, 64), 10: (3, 32)},
    "f_text2": {3: (64, 64), 7: (32, 64), 10: (3, 32)},
}


def published():
    """Shapes of a file of the authors, in its order."""
    shapes = {"label_emb.weight": (10, 10)}
    for network, convolutions in CONVOLUTIONS.items():
        shapes |= {f"{network}.0.weight": (4096, 42), f"{network}.0.bias": (4096,)}
        for place, (outputs, inputs) in convolutions.items():
            shapes[f"{network}.{place}.weight"] = (outputs, inputs, 3, 3)
            if place == 10:
                shapes[f"{network}.{place}.bias"] = (outputs,)
            norm = f"{network}.{place + 1}"
            for leaf in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{norm}.{leaf}"] = (outputs,)
            shapes[f"{norm}.num_batches_tracked"] = ()
    return shapes


@pytest.fixture(scope="module")
def arrays():
    """Other numbers in every place."""
    rng = np.random.default_rng(0)
    return {
        name: np.array(48_027)
        if name.endswith("tracked")
        else rng.normal(size=shape).astype(np.float32)
        for name, shape in published().items()
    }


@pytest.fixture(scope="module")
def template():
    return generators.published_shapes()


@pytest.fixture(scope="module")
def variables(arrays, template):
    return authors.from_authors(arrays, template, "weights.file: 'a.npz'")


def test_every_array_has_its_place(arrays, variables, template):
    chex.assert_trees_all_equal_shapes_and_dtypes(variables, template)
    params, stats = variables["params"], variables["batch_stats"]
    np.testing.assert_array_equal(params["labels"]["embedding"], arrays["label_emb.weight"])
    dense, kernel = params["foreground"]["Dense_0"], params["background"]["Conv_1"]["kernel"]
    # Channel 5, row 3, column 6 is their output 5 * 64 + 3 * 8 + 6 and ours (3 * 8 + 6) * 64 + 5.
    np.testing.assert_array_equal(dense["kernel"][:, 1925], arrays["f_text1.0.weight"][350])
    assert dense["bias"][1925] == arrays["f_text1.0.bias"][350]
    # From input 7 to output 9 at row 2, column 0.
    assert kernel[2, 0, 7, 9] == arrays["f_text2.7.weight"][9, 7, 2, 0]
    last = params["foreground"]["Conv_2"]["bias"]
    np.testing.assert_array_equal(last, arrays["f_text1.10.bias"])
    norm = params["shape"]["BatchNorm_1"], stats["shape"]["BatchNorm_1"]
    assert norm[0]["scale"] == arrays["f_shape.10.weight"]
    assert norm[0]["bias"] == arrays["f_shape.10.bias"]
    assert norm[1]["mean"] == arrays["f_shape.10.running_mean"]
    assert norm[1]["var"] == arrays["f_shape.10.running_var"]


def test_they_become_theirs_again(arrays, variables):
    found = authors.to_authors(variables, batches=48_027)
    assert list(found) == list(published())
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("suffix", [".pth", ".npz"])
def test_what_is_saved_is_loaded(tmp_path, size, suffix):
    _, variables = generators.small(size)
    path = tmp_path / f"generator{suffix}"
    path.write_text("older")
    authors.save(path, variables)
    loaded = authors.load(path, variables, "weights.file")
    chex.assert_trees_all_equal(loaded, variables)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16, np.float64])
def test_other_formats_are_read_as_float32(arrays, template, dtype):
    halves = {name: array.astype(dtype) for name, array in arrays.items()}
    found = authors.from_authors(halves, template, "a")
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype(np.float32)}


def without(arrays, *names):
    return {name: array for name, array in arrays.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda a: without(a, "f_shape.4.weight", "f_text1.0.bias"),
            "weights.file: 'a.npz' has no array 'f_shape.4.weight'; 2 of the 49 of a generator are "
            "missing",
        ),
        (
            lambda a: a | {"f_shape.13.weight": np.zeros(1)},
            "weights.file: 'a.npz': 'f_shape.13.weight' is no array of this generator",
        ),
        (
            lambda a: a | {"label_emb.weight": np.zeros((12, 10))},
            "weights.file: 'a.npz': 'label_emb.weight' is [12, 10]; this generator's is [10, 10]",
        ),
        (
            lambda a: a | {"f_text2.7.weight": np.zeros((64, 32, 3, 3))},
            "weights.file: 'a.npz': 'f_text2.7.weight' is [64, 32, 3, 3]; this generator's is "
            "[32, 64, 3, 3]",
        ),
        (
            lambda a: a | {"f_shape.10.bias": np.zeros(1, int)},
            "weights.file: 'a.npz': 'f_shape.10.bias' is int64; it must be float",
        ),
    ],
)
def test_other_arrays_are_refused(arrays, template, change, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        authors.from_authors(change(arrays), template, "weights.file: 'a.npz'")


def test_numbers_of_batches_may_be_missing(arrays, template, variables):
    few = {name: array for name, array in arrays.items() if not name.endswith("tracked")}
    assert len(few) == len(arrays) - 8 == 49
    chex.assert_trees_all_equal(authors.from_authors(few, template, "a"), variables)


def test_other_files_are_refused(tmp_path, template):
    def refused(error, path, message):
        with pytest.raises(error, match=message) as caught:
            authors.load(path, template, "weights.file")
        assert str(caught.value).startswith("weights.file: ") and "\n" not in str(caught.value)

    refused(
        FileNotFoundError,
        tmp_path / "none.pth",
        "none.pth' is not there, or is no file; it must be a .pth or .npz of the published code$",
    )
    refused(ValueError, tmp_path / "a.ckpt", r"a.ckpt' is not allowed; it must be a .pth or an .np")
    (tmp_path / "a.npz").write_bytes(b"no zip")
    refused(ValueError, tmp_path / "a.npz", "a.npz' cannot be read: ")
    np.savez(tmp_path / "a.npz", a=np.array([{}]))
    refused(ValueError, tmp_path / "a.npz", "a.npz' cannot be read: ")
    (tmp_path / "a.pth").write_text("version https://git-lfs.github.com/spec/v1\n")
    refused(ValueError, tmp_path / "a.pth", "is a pointer of Git LFS")


def test_other_outputs_are_refused(tmp_path):
    _, variables = generators.small()
    for path, message in (
        (tmp_path / "a.pt", "output: .*a.pt' is not allowed; it must be a .pth or an .npz"),
        (tmp_path / "no" / "a.pth", "output: .*a.pth' is not allowed; it must be a file in a fold"),
    ):
        with pytest.raises(ValueError, match=message):
            authors.save(path, variables)
    assert not list(tmp_path.iterdir())
