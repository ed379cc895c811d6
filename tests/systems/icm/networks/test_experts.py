import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.systems.icm.networks.experts import PENALTY, ConvExpert, ResidualExpert
from icm_jax.systems.icm.networks.vae import VAEExpert

SMALL = {
    "conv": ConvExpert(filters=2, layers=1),
    "residual": ResidualExpert(filters=2, layers=1),
    "vae": VAEExpert(latent=3, encoder=(4, 5, 6), decoder=(6, 5, 4)),
}
FULL = {"conv": ConvExpert(), "residual": ResidualExpert(), "vae": VAEExpert()}


@functools.partial(jax.jit, static_argnames="network")
def init(network, images):
    """The variables of key 0; one program, as `apply`, where there would be many small ones."""
    return network.init(jax.random.key(0), images)


@functools.partial(jax.jit, static_argnames=("network", "statistics"))
def apply(network, variables, images, statistics="batch", keys=None):
    """Outputs and what a call changes."""
    changed = ["batch_stats", PENALTY]
    return network.apply(variables, images, statistics, keys, mutable=changed)


def parameters(network, shape):
    shapes = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros(shape))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))


def test_the_reproductions_rgb_expert_has_the_parameters_of_its_table():
    # (9*3*32 + 32) + 3 (9*32*32 + 32) + 4 * 2*32 (batch norm) + (9*32*3 + 3)
    expert = ConvExpert(activation=nn.relu, output=nn.relu)
    assert parameters(expert, (1, 28, 28, 3)) == 896 + 27_744 + 256 + 867 == 29_763


def test_the_reproductions_vae_has_the_parameters_of_its_table():
    encoder = (9 * 3 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 64 + 64) + 2 * (32 + 64 + 64)
    latent = 4 * 4 * 64 * 2 * 256 + 2 * 256  # 28 -> 14 -> 7 -> 4; mean and log variance
    first = 256 * 36 * 64 + 36 * 64  # 6x6 pixels of 64 channels from one pixel
    decoder = (36 * 64 * 64 + 64) + (36 * 64 * 32 + 32) + (36 * 32 * 3 + 3)
    decoder += first + 2 * (64 + 64 + 32 + 3)
    count = parameters(VAEExpert(), (1, 28, 28, 3))
    assert count == encoder + latent + decoder == 1_398_633
    # Of larger images the encoder's dense layer alone has more: 64 -> 32 -> 16 -> 8.
    more = (8 * 8 - 4 * 4) * 64 * 2 * 256
    assert parameters(VAEExpert(), (1, 64, 64, 3)) == count + more


def test_the_residual_expert_has_the_parameters_that_its_description_says():
    # Three channels and two coordinates in.
    first, second, last = 9 * 5 * 16 + 16, 9 * 16 * 16 + 16, 9 * 16 * 3 + 3
    count = parameters(ResidualExpert(16, 2), (1, 28, 28, 3))
    assert count == first + second + 4 * 16 + last == 3_555


@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28, 3), (64, 64, 1), (64, 64, 3), (33, 30, 3)])
def test_images_keep_their_shape(kind, shape):
    images = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    outputs, _ = jax.eval_shape(FULL[kind].init_with_output, jax.random.key(0), images)
    assert (outputs.shape, outputs.dtype) == (images.shape, images.dtype)


@pytest.mark.parametrize("kind", SMALL)
def test_sigmoid_is_bounded_and_relu_below_only(kind):
    images = jax.random.uniform(jax.random.key(1), (4, 11, 12, 3))
    variables = init(SMALL[kind], images)
    outputs, _ = apply(SMALL[kind], variables, images)
    assert outputs.min() >= 0 and outputs.max() <= 1 and outputs.std() > 0.01
    if kind == "residual":
        return
    # Batch norm scaled up, the last layer draws far above 1 and below 0.
    params = jax.tree_util.tree_map_with_path(
        lambda path, t: 9 * t if "BatchNorm" in str(path) else t, variables["params"]
    )
    expert = SMALL[kind].clone(output=nn.relu)
    outputs, _ = apply(expert, {"params": params}, images)
    assert outputs.min() >= 0 and outputs.max() > 1


@pytest.mark.parametrize("kind", SMALL)
def test_with_the_statistics_of_a_batch_an_image_alone_gives_what_it_gave_in_it(kind):
    images = jax.random.uniform(jax.random.key(1), (4, 9, 10, 1))
    keys = jax.random.split(jax.random.key(2), 4)
    expert = SMALL[kind]
    params = init(expert, images)["params"]
    outputs, updates = apply(expert, {"params": params}, images, "batch", keys)
    variables = {"params": params, "batch_stats": updates["batch_stats"]}
    for i in range(4):
        one = slice(i, i + 1)
        alone, own = apply(expert, variables, images[one], "given", keys[one])
        chex.assert_trees_all_close(alone, outputs[one], atol=1e-5)
        penalty = jax.tree.map(lambda t, one=one: t[one], updates.get(PENALTY))
        chex.assert_trees_all_close(own.get(PENALTY), penalty, rtol=1e-4)
    # Only the VAE draws, and only with keys; without, always the same.
    again, first = (apply(expert, variables, images, "given")[0] for _ in range(2))
    chex.assert_trees_all_equal(again, first)
    assert (jnp.abs(first - outputs).max() > 1e-3) == (kind == "vae")


def test_the_vaes_penalty_by_hand():
    expert, images = SMALL["vae"].clone(beta=8.0), jnp.ones((2, 4, 6, 1))
    params = init(expert, images)["params"]
    # Every latent has mean 2 and variance 1: 3 * 4 / 2 nats, times 8, over 24 pixels.
    latent = params["Dense_0"]
    bias = jnp.concatenate([jnp.full(3, 2.0), jnp.zeros(3)])
    params["Dense_0"] = {"kernel": jnp.zeros_like(latent["kernel"]), "bias": bias}
    _, updates = apply(expert, {"params": params}, images)
    chex.assert_trees_all_close(updates[PENALTY]["kl"], jnp.full(2, 2.0))


def with_last_layer(expert, images, kernel, bias):
    """Parameters whose last convolution has a kernel and a bias of these values."""
    params = init(expert, images)["params"]
    last = params["Conv_1"]
    filled = {"kernel": jnp.full_like(last["kernel"], kernel), "bias": jnp.asarray(bias)}
    return {"params": params | {"Conv_1": filled}}


def test_what_a_residual_expert_does_not_change_it_keeps():
    expert, images = SMALL["residual"], jax.random.uniform(jax.random.key(1), (2, 8, 8, 3))
    variables = with_last_layer(expert, images, 0.0, np.zeros(3, np.float32))
    outputs, _ = apply(expert, variables, images)
    np.testing.assert_allclose(outputs, np.clip(images, 0.01, 0.99), atol=1e-6)
    # 0.3 * 10 is added to the logit of 0.2, which is log(1 / 4), in the second channel alone.
    variables = with_last_layer(expert, images, 0.0, np.float32([0, 10, 0]))
    outputs, _ = apply(expert, variables, jnp.full((1, 4, 4, 3), 0.2))
    np.testing.assert_allclose(outputs[0, 1, 2], [0.2, 1 / (1 + 4 * np.exp(-3)), 0.2], rtol=1e-5)


def test_a_residual_expert_knows_where_it_is():
    expert, images = SMALL["residual"], jnp.full((1, 6, 6, 1), 0.5)
    outputs, _ = apply(expert, init(expert, images), images)
    inner = outputs[0, 2:4, 2:4, 0]  # away from the zeros around the image
    assert jnp.abs(inner - inner[0, 0]).max() > 1e-3
    outputs, _ = apply(SMALL["conv"], init(SMALL["conv"], images), images)
    np.testing.assert_allclose(outputs[0, 2:4, 2:4, 0], outputs[0, 2, 2, 0], atol=1e-6)


def test_a_residual_expert_of_patches_draws_each_pixel_where_it_belongs():
    expert, images = SMALL["residual"].clone(patch=2), jnp.full((1, 4, 6, 1), 0.5)
    variables = with_last_layer(expert, images, 0.0, np.float32([1, 2, 3, 4]))
    outputs, _ = apply(expert, variables, images)
    corner = 1 / (1 + np.exp(-0.3 * np.array([[1, 2], [3, 4]])))
    np.testing.assert_allclose(outputs[0, ..., 0], np.tile(corner, (2, 3)), rtol=1e-5)


def test_patches_let_an_expert_see_farther():
    def seen(patch):
        """Rows that the pixel in the middle depends on, first and last."""
        expert, image = SMALL["residual"].clone(patch=patch), jnp.full((1, 24, 4, 1), 0.4)
        params = init(expert, image)["params"]
        _, updates = apply(expert, {"params": params}, image)
        variables = {"params": params, **updates}
        gradient = jax.grad(lambda image: expert.apply(variables, image, "given")[0, 12, 2, 0])
        rows = np.flatnonzero(np.abs(jax.jit(gradient)(image)).sum((0, 2, 3)))
        return int(rows[0]), int(rows[-1])

    assert seen(1) == (12 - 2, 12 + 2)  # one hidden layer and the last one
    assert seen(2) == (12 - 4, 12 + 5)  # squares of rows 8 and 9 to 16 and 17


def test_patches_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="experts.patch: 2 does not divide images of 9x10"):
        SMALL["residual"].clone(patch=2).init(jax.random.key(0), jnp.zeros((1, 9, 10, 1)))
