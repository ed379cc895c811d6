import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.systems.counterfactual.networks.normalization import BatchNorm, normalize_instances

PARAMS = {"scale": jnp.array([1.0, 2.0]), "bias": jnp.array([0.0, -1.0])}
STATS = {"mean": jnp.array([0.5, -1.0]), "var": jnp.array([4.0, 0.25])}
VARIABLES = {"params": PARAMS, "batch_stats": STATS}


def images(count):
    return jnp.float32(np.random.default_rng(0).normal(2, 3, (count, 3, 3, 2)))


def train(norm, x):
    outputs, updates = norm.apply(VARIABLES, x, True, mutable=["batch_stats"])
    return outputs, updates["batch_stats"]


def test_outputs_are_flax_s_in_training_and_later():
    x = images(4)
    flax = {average: nn.BatchNorm(average, momentum=0.9, epsilon=1e-5) for average in (False, True)}
    outputs, stats = train(BatchNorm(), x)
    expected, updates = flax[False].apply(VARIABLES, x, mutable=["batch_stats"])
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    np.testing.assert_allclose(stats["mean"], updates["batch_stats"]["mean"], rtol=1e-6)
    expected = flax[True].apply(VARIABLES, x)
    np.testing.assert_allclose(BatchNorm().apply(VARIABLES, x, False), expected, atol=1e-5)


def test_running_variance_is_unbiased():
    # Two numbers a channel, 1 and 3: mean 2, squared distances 1 and 1, variance (1 + 1) / (2 - 1).
    norm, x = BatchNorm(), jnp.array([[1.0], [3.0]])
    variables = norm.init(jax.random.key(0), x, True)
    outputs, updates = norm.apply(variables, x, True, mutable=["batch_stats"])
    # A tenth of it and nine tenths of 0 and 1.
    np.testing.assert_allclose(updates["batch_stats"]["mean"], [0.2], rtol=1e-6)
    np.testing.assert_allclose(updates["batch_stats"]["var"], [0.9 + 0.1 * 2], rtol=1e-6)
    # The batch itself is normalised by its own variance, 1.
    np.testing.assert_allclose(outputs, np.array([[-1], [1]]) / np.sqrt(1 + 1e-5), rtol=1e-6)


def test_nothing_is_learned_of_the_batch_that_initialises():
    stats = BatchNorm().init(jax.random.key(0), images(4), True)["batch_stats"]
    chex.assert_trees_all_equal(stats, {"mean": jnp.zeros(2), "var": jnp.ones(2)})


def test_devices_normalise_as_one():
    x, weight = images(6), np.float32(np.random.default_rng(1).normal(size=(6, 3, 3, 2)))

    def whole(x):
        outputs, stats = train(BatchNorm(), x)
        return (outputs * weight).sum(), (outputs, stats)

    def shared(x):
        parts = x.reshape(3, 2, *x.shape[1:])
        norm = BatchNorm(axis_name="devices")
        outputs, stats = jax.vmap(lambda x: train(norm, x), axis_name="devices")(parts)
        return (outputs.reshape(x.shape) * weight).sum(), (outputs.reshape(x.shape), stats)

    gradient, (outputs, stats) = jax.jit(jax.grad(shared, has_aux=True))(x)
    expected = jax.jit(jax.grad(whole, has_aux=True))(x)
    np.testing.assert_allclose(outputs, expected[1][0], atol=1e-5)
    np.testing.assert_allclose(gradient, expected[0], atol=1e-5)
    for name, value in stats.items():
        # Each device has the statistics of all.
        np.testing.assert_allclose(value, [expected[1][1][name]] * 3, rtol=1e-5)


def test_an_instance_is_normalised_channel_by_channel():
    # Of 1, 2, 3, 4 the mean is 2.5, the variance (2.25 + 0.25 + 0.25 + 2.25) / 4 = 1.25. A
    # constant channel becomes 0, whatever the others are.
    first = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    x = jnp.stack([jnp.stack([first, jnp.full((2, 2), 7.0)], -1), jnp.zeros((2, 2, 2))])
    expected = np.array([[-1.5, -0.5], [0.5, 1.5]]) / np.sqrt(1.25 + 1e-5)
    outputs = normalize_instances(x)
    np.testing.assert_allclose(outputs[0, :, :, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(outputs[0, :, :, 1], np.zeros((2, 2)))
    np.testing.assert_array_equal(outputs[1], np.zeros((2, 2, 2)))


def test_moments_of_bfloat16_are_float32():
    # 255 of 256 numbers are 1, one is 2: mean 1 + 1/256, halfway to the next bfloat16.
    x = jnp.ones((256, 1), jnp.bfloat16).at[0].set(2)
    norm = BatchNorm()
    variables = norm.init(jax.random.key(0), x, True)
    outputs, updates = norm.apply(variables, x, True, mutable=["batch_stats"])
    assert outputs.dtype == jnp.float32
    np.testing.assert_allclose(updates["batch_stats"]["mean"], [0.1 * (1 + 1 / 256)], rtol=1e-6)
    np.testing.assert_allclose(outputs.mean(), 0, atol=1e-5)
