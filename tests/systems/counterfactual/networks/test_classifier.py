"""The published classifier: its parameters, and its layers by plain convolutions."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.systems.counterfactual.networks.classifier import PublishedClassifier


def test_it_is_the_published_one():
    network = PublishedClassifier(10)
    images = jnp.asarray(np.random.RandomState(0).uniform(-1, 1, (2, 32, 32, 3)), jnp.float32)
    variables = jax.jit(network.init)(jax.random.key(0), images)
    params = variables["params"]
    # 6 + (75 + 1) 32 + (288 + 1) 32 + (288 + 1) 64 + (576 + 1) 64 + 65 * 10
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 67_760

    def conv(x, layer, stride, pad):
        x = jax.lax.conv_general_dilated(
            x,
            layer["kernel"],
            (stride, stride),
            [(pad, pad)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return jnp.maximum(x + layer["bias"][None, None, None], 0)

    @jax.jit
    def plain(x):
        x = conv(x / np.sqrt(1 + 1e-5), params["Conv_0"], 1, 2)
        # The maximum of 3x3 places around every second one; nothing is below 0.
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        places = [padded[:, i : i + 31 : 2, j : j + 31 : 2] for i in range(3) for j in range(3)]
        x = jnp.stack(places).max(0)
        x = conv(
            conv(conv(x, params["Conv_1"], 1, 1), params["Conv_2"], 2, 1), params["Conv_3"], 1, 1
        )
        assert x.shape == (2, 8, 8, 64)
        x = x[:, :7, :7].mean((1, 2))
        return x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"][None]

    logits = jax.jit(network.apply)(variables, images)
    chex.assert_trees_all_close(logits, plain(images), rtol=1e-4, atol=1e-5)
