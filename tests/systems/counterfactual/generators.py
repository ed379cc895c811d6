"""Generators for tests: ours, and the published one written out plainly from its arrays."""

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.systems.counterfactual.networks.mechanisms import Each, Mechanisms, Settings


def inputs(count=3, latent=4, classes=3):
    """Noise and labels, others for each mechanism."""
    keys = jax.random.split(jax.random.key(0), 3)
    noise = Each(*(jax.random.normal(key, (count, latent)) for key in keys))
    labels = Each(*((jnp.arange(count) + shift) % classes for shift in range(3)))
    return noise, labels


def small(size=32, width=2, embedding=3):
    """Mechanisms of few channels, whose weights and running statistics are random numbers."""
    module = Mechanisms(3, Settings(size, width), embedding)
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs())
    rng = np.random.default_rng(0)
    return module, {
        # Nothing in it is 0 or 1, so that each number matters.
        "params": jax.tree.map(lambda x: np.float32(rng.normal(0, 0.3, x.shape)), shapes["params"]),
        "batch_stats": jax.tree.map(
            lambda x: np.float32(rng.uniform(0.5, 2, x.shape)), shapes["batch_stats"]
        ),
    }


def published_shapes():
    """Shapes of the variables of the published generator."""
    noise, labels = jax.ShapeDtypeStruct((1, 32), jnp.float32), jax.ShapeDtypeStruct((1,), int)
    module = Mechanisms(10, Settings())
    return jax.eval_shape(module.init, jax.random.key(0), Each(*[noise] * 3), Each(*[labels] * 3))


def convolve(x, kernel):
    """`[B, C, S, S]` with `[F, C, 3, 3]` and zeros around, by a loop over the kernel's places."""
    size = x.shape[2]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return sum(
        np.einsum("bchw,fc->bfhw", padded[..., i : i + size, j : j + size], kernel[..., i, j])
        for i in range(3)
        for j in range(3)
    )


def apply_published(arrays, network, noise, labels):
    """A mechanism as in mnists/models/cgn.py, in eval mode: `[B, C, S, S]`, a mask not clamped.

    It reads, layer by layer, the `torch.nn.Sequential` of that name.
    """

    def take(number, leaf):
        return np.asarray(arrays[f"{network}.{number}.{leaf}"], np.float64)

    x = np.concatenate([noise, arrays["label_emb.weight"][labels]], axis=1, dtype=np.float64)
    x = x @ take(0, "weight").T + take(0, "bias")
    x = x.reshape(len(x), -1, 8, 8)
    # In turn: f_shape is 1 view, 2 norm, 3 up, 4 conv, 5 BN, 6 LReLU, 7 norm, 8 up, ... 12 norm.
    # f_text is 1 view, 2 up, 3 conv, 4 BN, 5 LReLU, 6 up, ... 9 LReLU, 10 conv, 11 BN, 12 tanh.
    mask = network == "f_shape"
    layers = ["norm"] + ["up", "conv", "bn", "leaky", "norm"] * 2
    if not mask:
        layers = ["up", "conv", "bn", "leaky"] * 2 + ["conv", "bn", "tanh"]
    for number, layer in enumerate(layers, start=2):
        if layer == "up":
            x = x.repeat(2, axis=2).repeat(2, axis=3)
        elif layer == "norm":
            mean, var = x.mean((2, 3), keepdims=True), x.var((2, 3), keepdims=True)
            x = (x - mean) / np.sqrt(var + 1e-5)
        elif layer == "leaky":
            x = np.where(x > 0, x, 0.2 * x)
        elif layer == "tanh":
            x = np.tanh(x)
        elif layer == "bn":
            mean, var, scale, bias = (
                take(number, leaf)[:, None, None]
                for leaf in ("running_mean", "running_var", "weight", "bias")
            )
            x = (x - mean) / np.sqrt(var + 1e-5) * scale + bias
        else:
            kernel, size = take(number, "weight"), x.shape[2]
            padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
            x = sum(
                np.einsum(
                    "bchw,oc->bohw", padded[:, :, i : i + size, j : j + size], kernel[..., i, j]
                )
                for i in range(3)
                for j in range(3)
            )
            if f"{network}.{number}.bias" in arrays:
                x = x + take(number, "bias")[:, None, None]
    return x
