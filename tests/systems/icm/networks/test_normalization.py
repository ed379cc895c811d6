import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax.systems.icm.networks.normalization import BatchNorm

SHAPE = (6, 4, 4, 3)


@pytest.fixture(scope="module")
def x():
    return 2 + 3 * jax.random.normal(jax.random.key(0), SHAPE)


@pytest.fixture(scope="module")
def params():
    return {"scale": jnp.array([1.0, 2.0, 3.0]), "bias": jnp.array([0.0, 1.0, 2.0])}


def apply(params, x, statistics, given=None):
    variables = {"params": params, **({"batch_stats": given} if given else {})}
    outputs, updates = BatchNorm().apply(variables, x, statistics, mutable=["batch_stats"])
    return outputs, updates["batch_stats"]


def test_normalises_with_the_batch(params, x):
    outputs, statistics = apply(params, x, "batch")
    a = np.asarray(x, np.float64)
    mean, var = a.mean((0, 1, 2)), a.var((0, 1, 2))
    np.testing.assert_allclose(statistics["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(statistics["var"], var, rtol=1e-4)
    scale, bias = np.asarray(params["scale"]), np.asarray(params["bias"])
    expected = (a - mean) / np.sqrt(var + 1e-5) * scale + bias
    np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_given_statistics_are_used_and_kept(params, x):
    given = {"mean": jnp.full(3, 1.0), "var": jnp.full(3, 4.0)}
    outputs, statistics = apply(params, x, "given", given)
    expected = (np.asarray(x) - 1) / 2 * np.asarray(params["scale"]) + np.asarray(params["bias"])
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    chex.assert_trees_all_equal(statistics, given)


def gradient(x, reference):
    """Of a function of the statistics of `x` times a factor, with respect to the factor."""
    params = {"scale": jnp.ones(3), "bias": jnp.zeros(3)}
    given = apply(params, x, "batch")[1]

    def loss(factor):
        if reference is None:
            statistics = apply(params, factor * x, "batch")[1]
        else:
            _, statistics = apply(params, factor * x[reference], "reference", given)
        return (statistics["mean"] * jnp.arange(3) + jnp.sqrt(statistics["var"])).sum()

    return jax.value_and_grad(loss)(1.0)


def test_reference_has_the_value_of_the_batch_and_the_gradient_of_its_part(x):
    value, whole = gradient(x, None)
    parts = [gradient(x, slice(i, i + 2)) for i in (0, 2, 4)]
    for part, _ in parts:
        np.testing.assert_allclose(part, value, rtol=1e-6)
    # Three equal parts of the batch: the mean of their gradients is that of the batch.
    np.testing.assert_allclose(np.mean([g for _, g in parts]), whole, rtol=1e-5)
    np.testing.assert_allclose(gradient(x, slice(None))[1], whole, rtol=1e-5)
    assert abs(parts[0][1] - whole) > 1e-3


def test_bfloat16_in_and_out_but_statistics_in_float32(params, x):
    outputs, statistics = BatchNorm(dtype=jnp.bfloat16).apply(
        {"params": params}, x.astype(jnp.bfloat16), "batch", mutable=["batch_stats"]
    )
    assert outputs.dtype == jnp.bfloat16
    assert statistics["batch_stats"]["var"].dtype == jnp.float32
