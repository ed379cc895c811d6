"""Tiny networks for the tests of wrappers, and variables of them by hand."""

import functools
from collections.abc import Sequence

import chex
import flax.linen as nn
import jax
import numpy as np
import optax


class MLP(nn.Module):
    """Dense layers with ReLU between them: linear where there is one alone."""

    widths: Sequence[int] = (4, 2)

    @nn.compact
    def __call__(self, x):
        for width in self.widths[:-1]:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.widths[-1])(x)


class Normed(nn.Module):
    """Batch norm, a convolution, dropout of its own, a dense layer."""

    outputs: int = 2

    @nn.compact
    def __call__(self, images, train):
        x = nn.BatchNorm(not train, momentum=0.9)(images)
        x = nn.relu(nn.Conv(3, (2, 2))(x))
        x = nn.Dropout(0.5, deterministic=not train)(x.reshape(len(x), -1))
        return nn.Dense(self.outputs)(x)


class Through(nn.Module):
    """A 1x1 convolution, then a dense layer that looks at what is left of its channels."""

    @nn.compact
    def __call__(self, images):
        x = nn.Conv(images.shape[-1], (1, 1), use_bias=False, name="conv")(images)
        return nn.Dense(1, name="dense")(x.reshape(len(x), -1))


class Decoder(nn.Module):
    """Linear, to images of a shape."""

    shape: Sequence[int]

    @nn.compact
    def __call__(self, latents):
        out = nn.Dense(int(np.prod(self.shape)), name="dense")(latents)
        return out.reshape(len(latents), *self.shape)


def layer(kernel, bias=None):
    """Parameters of a dense layer."""
    kernel = np.asarray(kernel, np.float32)
    bias = np.zeros(kernel.shape[1]) if bias is None else bias
    return {"kernel": kernel, "bias": np.asarray(bias, np.float32)}


def normal(seed, *shape):
    """Standard normal numbers, float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def program(function, **static):
    """A function compiled as one program, whose answers are NumPy's: each slice of JAX's is one."""
    compiled = jax.jit(function, **static)
    return lambda *arguments, **named: jax.device_get(compiled(*arguments, **named))


def made(model, x, seed=0, train=None):
    """Variables of a model of the shapes that `init` gives, with random numbers for parameters.

    Statistics are positive and banks empty. Nothing is compiled.
    """
    key = jax.random.key(0)
    shapes = (
        jax.eval_shape(model.init, key, x)
        if train is None
        else jax.eval_shape(functools.partial(model.init, train=train), key, x)
    )
    rng = np.random.default_rng(seed)
    numbers = {"params": rng.normal, "batch_stats": functools.partial(rng.uniform, 0.5, 1.5)}

    def fill(path, leaf):
        draw = numbers.get(path[0].key)
        return (
            np.zeros(leaf.shape, leaf.dtype) if draw is None else np.float32(draw(size=leaf.shape))
        )

    return jax.tree_util.tree_map_with_path(fill, shapes)


same = chex.assert_trees_all_equal
close = chex.assert_trees_all_close


@functools.partial(jax.jit, static_argnames=("model", "steps", "rate"))
def fit(model, variables, x, targets, steps, rate):
    """Variables after steps of Adam on all data, each with draws of its own."""
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def step(carry, key):
        variables, state = carry

        def cost(params):
            losses, after = model.loss({**variables, "params": params}, x, targets, key)
            return losses.mean(), after

        grads, after = jax.grad(cost, has_aux=True)(variables["params"])
        updates, state = optimizer.update(grads, state)
        return ({**after, "params": optax.apply_updates(variables["params"], updates)}, state), None

    keys = jax.random.split(jax.random.key(0), steps)
    return jax.lax.scan(step, (variables, optimizer.init(variables["params"])), keys)[0][0]
