"""Importers by files that are made here; see test_parity too."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.systems.counterfactual.imagenet.networks.biggan import BigGAN
from icm_jax.systems.counterfactual.imagenet.networks.resnet import ResNet50
from icm_jax.systems.counterfactual.imagenet.weights import biggan, onnx, resnet
from icm_jax.systems.counterfactual.weights import pth

RESNET = ResNet50(width=2, blocks=(1, 1, 1, 1))
GAN = BigGAN(64, 4, latent=6, classes=5)


def files_arrays(expected, template):
    """Random arrays by their names, as a file has them, and as variables."""
    random, arrays = np.random.default_rng(0), {}
    variables = jax.tree.map(
        lambda leaf: random.standard_normal(leaf.shape).astype(np.float32), template
    )
    for array in expected:
        leaf = variables
        for name in array.path:
            leaf = leaf[name]
        arrays[array.name] = np.ascontiguousarray(array.theirs(leaf))
    return arrays, variables


def test_resnet50_is_read_and_others_are_refused(tmp_path):
    template = jax.eval_shape(RESNET.init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    arrays, variables = files_arrays(resnet.named_arrays(template), template)
    assert arrays["layer1.0.downsample.0.weight"].shape == (8, 2, 1, 1)
    head = {"fc.weight": np.zeros(3, np.float32), "bn1.num_batches_tracked": np.array(1)}
    path = tmp_path / "a.pth"
    pth.write(path, arrays | head)
    jax.tree.map(np.testing.assert_array_equal, resnet.load_resnet50(path, RESNET), variables)

    def refused(content, name="a.pth", error=ValueError):
        if content:
            pth.write(tmp_path / name, content)
        with pytest.raises(error) as caught:
            resnet.load_resnet50(tmp_path / name, RESNET)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "is not there" in refused(None, "b.pth", FileNotFoundError)
    assert "'conv1.weight' is [1]; this ResNet-50's is [2, 3, 7, 7]" in refused(
        arrays | {"conv1.weight": np.zeros(1, np.float32)}
    )
    assert "'other' is no array of this ResNet-50" in refused(arrays | {"other": np.zeros(1)})
    assert "has no array 'bn1.running_mean'; 85 of the 85" in refused(head)
    assert "is damaged: SHA-256 is" in refused(arrays, "resnet50-0676ba61.pth")


def test_a_generator_is_read_with_its_config(tmp_path):
    template = biggan.shapes(GAN)
    arrays, variables = files_arrays(biggan.named_arrays(template, GAN), template)
    assert arrays["generator.layers.6.gamma"].shape == (1,)
    assert arrays["generator.layers.7.bn_0.scale.weight_u"].shape == (8,)
    prefixed = {f"f_shape.{name}": array for name, array in arrays.items()}
    pth.write(tmp_path / "pytorch_model.bin", prefixed | {"u2net.side1.bias": np.zeros(1)})
    found = biggan.load_biggan(tmp_path, GAN, prefix="f_shape.")
    jax.tree.map(np.testing.assert_array_equal, found, variables)
    config = biggan._settings(GAN)
    for changed, said in (
        ({"channel_width": 128}, "'channel_width' is 128; this generator's is 4"),
        ({"n_stats": 1}, "'n_stats' is 1; this generator's is 51"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | changed))
        with pytest.raises(ValueError, match=said):
            biggan.load_biggan(tmp_path, GAN, prefix="f_shape.")


def test_an_onnx_file_by_hand(tmp_path):
    """Tags are 8 times the number of a field, plus how it is written: 0 a number, 2 bytes."""

    def field(number, content):
        return bytes([8 * number + 2, len(content)]) + content

    tensor = bytes([8, 2, 8, 1, 16, 1]) + field(8, b"w")  # dims 2 and 1, floats, its name
    tensor += field(9, np.array([1.5, -2], "<f4").tobytes())
    node = field(1, b"x") + field(1, b"w") + field(4, b"Conv")
    path = tmp_path / "a.onnx"
    content = bytes([8, 6]) + field(7, field(1, node) + field(5, tensor))
    path.write_bytes(content)
    nodes, arrays = onnx.read(path, "field")
    assert nodes == [("Conv", ("x", "w"))] and list(arrays) == ["w"]
    np.testing.assert_array_equal(arrays["w"], np.array([[1.5], [-2]], np.float32))
    for damaged in (content[:-1], b"no ONNX file", b""):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="^field: '.*' cannot be read as an ONNX file: "):
            onnx.read(path, "field")
