"""BigGAN-deep, U²-Net and ResNet-50 by counts and hand arithmetic; see test_parity too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax import default_config
from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.imagenet import mechanisms
from icm_jax.systems.counterfactual.imagenet.networks import biggan
from icm_jax.systems.counterfactual.imagenet.networks.resnet import ResNet50
from icm_jax.systems.counterfactual.imagenet.networks.spectral import (
    SpectralDense,
    singular_vectors,
    spectral_norm,
)
from icm_jax.systems.counterfactual.imagenet.networks.statistics import (
    TruncatedBatchNorm,
    interpolate,
)
from icm_jax.systems.counterfactual.imagenet.networks.u2net import U2Net, convolution_names, resize
from icm_jax.systems.counterfactual.imagenet.weights.biggan import shapes

IMAGES = jnp.zeros((1, 64, 64, 3))


@pytest.mark.parametrize(
    ("module", "published"),
    [
        (ResNet50(), 23_508_032),
        (U2Net(), 44_009_869),
        (U2Net(small=True), 1_131_181),
    ],
)
def test_networks_have_the_published_parameters(module, published):
    found = jax.eval_shape(module.init, jax.random.key(0), IMAGES)
    assert sum(leaf.size for leaf in jax.tree.leaves(found["params"])) == published


def test_blocks_of_the_published_256_pixels():
    doubles = "FTFTFTFTFTFT"
    channels = [(16, 16)] * 3 + [(16, 8)] + [(8, 8)] * 3 + [(8, 4), (4, 4), (4, 2), (2, 2), (2, 1)]
    expected = [(d == "T", *c) for d, c in zip(doubles, channels, strict=True)]
    assert list(biggan.layers(256)) == expected
    for resolution in biggan.RESOLUTIONS:
        assert 4 * 2 ** sum(d for d, _, _ in biggan.layers(resolution)) == resolution
    with pytest.raises(ValueError, match="resolution: 100 is not allowed; it must be one of"):
        biggan.layers(100)


def draw_for(module):
    """Variables, noise and two labels of a small generator."""
    random = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda leaf: random.uniform(0.2, 1, leaf.shape).astype(np.float32), shapes(module)
    )
    u = random.standard_normal((2, module.latent)).astype(np.float32)
    return variables, u, np.eye(module.classes, dtype=np.float32)[:2]


def test_a_generator_makes_images_and_its_arrays_have_their_shapes():
    module = biggan.BigGAN(64, 8, latent=6, classes=5)
    variables, u, y = draw_for(module)
    assert variables["batch_stats"]["bn"]["mean"].shape == (51, 8)
    assert variables["spectral"]["block_1"]["conv_1"]["v"].shape == (3 * 3 * 32,)
    images = jax.jit(module.apply)(variables, u, y, 0.5)
    assert images.shape == (2, 64, 64, 3) and images.dtype == jnp.float32
    assert np.abs(images).max() <= 1 and np.ptp(images) > 0
    with pytest.raises(ValueError, match="width: 6 is not allowed; it must be a multiple of 4"):
        shapes(biggan.BigGAN(64, 6))


@pytest.mark.slow
def test_a_generator_computes_in_bfloat16_what_it_does_in_float32():
    modules = [
        biggan.BigGAN(64, 8, latent=6, classes=5, compute=Compute(precision))
        for precision in ("float32", "bfloat16")
    ]
    variables, u, y = draw_for(modules[0])
    exact, rounded = (jax.jit(module.apply)(variables, u, y, 0.5) for module in modules)
    assert rounded.dtype == jnp.float32
    # Eight bits of a number: an error of some hundredths, but no other image.
    error = np.abs(exact - rounded).mean()
    assert 1e-5 < error < 0.05 * np.abs(exact - exact.mean()).mean()


def test_networks_are_those_that_the_config_names(monkeypatch):
    monkeypatch.setattr(mechanisms, "BigGAN", biggan.BigGAN)
    monkeypatch.setattr(mechanisms, "U2Net", U2Net)
    config = default_config("counterfactual_imagenet")
    config.precision, config.model.resolution, config.model.width = "bfloat16", 128, 32
    compute = Compute("bfloat16", config.convolution)
    found = mechanisms.make_networks(config)
    assert found.biggan == biggan.BigGAN(128, 32, 128, 1000, False, compute)
    assert found.u2net == U2Net(compute=compute)


def test_rows_between_the_grid():
    table = jnp.stack([jnp.arange(51.0), 10 * jnp.arange(51.0)], axis=1)
    np.testing.assert_allclose(interpolate(table, 0.5), [25, 250])
    np.testing.assert_allclose(interpolate(table, 0.505), [25.25, 252.5], rtol=1e-5)
    # The public code gives the row below the weight of that above.
    np.testing.assert_allclose(interpolate(table, 0.505, True), [25.75, 257.5], rtol=1e-5)
    for index in range(51):
        for published in (False, True):
            np.testing.assert_array_equal(
                interpolate(table, index * 0.02, published), [index, 10 * index]
            )
    np.testing.assert_array_equal(interpolate(table, 1.5), [50, 500])


def test_a_kernel_is_divided_by_its_norm():
    kernel = jnp.array([[3.0, 0], [0, 4], [0, 0]])
    u, v = singular_vectors(kernel)
    np.testing.assert_allclose(spectral_norm(kernel, u, v), 4, rtol=1e-4)
    u, v = jnp.array([1.0, 0]), jnp.array([0.6, 0.8, 0])  # u' W v = 3 * 0.6
    variables = {"params": {"kernel": kernel}, "spectral": {"u": u, "v": v}}
    found = SpectralDense(2).apply(variables, jnp.array([[1.0, 1, 1]]))
    np.testing.assert_allclose(found, [[3 / 1.8, 4 / 1.8]], rtol=1e-6)


def test_attention_is_of_every_pixel_over_the_largest_of_four():
    module = biggan.SelfAttention(Compute())
    x = np.random.default_rng(0).standard_normal((1, 4, 4, 8)).astype(np.float32)
    variables = module.init(jax.random.key(0), x)
    params = {**variables["params"], "gamma": jnp.float32(0.5)}
    found = module.apply({**variables, "params": params}, x)

    def convolve(name, inputs):
        kernel, of = params[name]["kernel"], variables["spectral"][name]
        return np.asarray(inputs @ (kernel[0, 0] / spectral_norm(kernel, of["u"], of["v"])))

    def pool(made):
        return made.reshape(2, 2, 2, 2, -1).max(axis=(1, 3)).reshape(4, -1)

    scores = convolve("theta", x[0]).reshape(16, 1) @ pool(convolve("phi", x[0])).T
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    attended = convolve("o_conv", weights @ pool(convolve("g", x[0]))).reshape(1, 4, 4, 8)
    np.testing.assert_allclose(found, x + 0.5 * attended, atol=1e-5)


def test_conditional_batch_norm():
    unit = {"u": jnp.ones(1), "v": jnp.ones(1)}  # of which W / (u' W v) is 1
    variables = {
        "params": {name: {"kernel": jnp.full((1, 1), 5.0)} for name in ("scale", "offset")},
        "spectral": {"scale": unit, "offset": unit},
        "batch_stats": {
            "mean": jnp.arange(51.0)[:, None],
            "var": jnp.full((51, 1), 4 - 1e-4),
        },
    }
    x, condition = jnp.full((2, 1, 1, 1), 7.0), jnp.array([[0.5], [-1.0]])
    found = TruncatedBatchNorm().apply(variables, x, 0.1, condition)
    # (7 - 5) / 2 * (1 + c) + c
    np.testing.assert_allclose(found.ravel(), [2, -1], rtol=1e-5)


def test_maps_are_enlarged_corner_on_corner_or_area_on_area():
    x = jnp.array([0.0, 1])[None, :, None, None]
    found = [resize(x, (4, 1), corners, None).ravel() for corners in (True, False)]
    np.testing.assert_allclose(found, [[0, 1 / 3, 2 / 3, 1], [0, 0.25, 0.75, 1]], atol=1e-6)


def test_convolutions_in_their_order():
    names = convolution_names()
    assert len(names) == 112 and names[:2] == [
        "stage1.rebnconvin.conv_s1",
        "stage1.rebnconv1.conv_s1",
    ]
    assert names[7:9] == ["stage1.rebnconv7.conv_s1", "stage1.rebnconv6d.conv_s1"]
    assert names[-1] == "stage1d.rebnconv1d.conv_s1"


def test_features_of_a_small_resnet():
    module = ResNet50(width=2, blocks=(1, 1, 1, 1))
    template = jax.eval_shape(module.init, jax.random.key(0), IMAGES)
    variables = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.1, np.float32), template)
    found = jax.jit(module.apply)(variables, IMAGES + 1)
    assert found.shape == (1, 64) and np.isfinite(found).all()
