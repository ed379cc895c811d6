"""Counts what a step of a generator on ImageNet costs at the published size, and runs none.

    python -m benchmarks.imagenet_step
    python -m benchmarks.imagenet_step 512 1 bfloat16

Arguments are pixels a side, images a step and the format. Operations are those that XLA counts in
the step before it is optimized for a GPU, two for each product and sum. Bytes for the way back are
of all arrays that the gradient keeps of the way there; XLA may keep less.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from icm_jax import default_config
from icm_jax.networks.compute import Compute
from icm_jax.systems.counterfactual.imagenet.generation import state, steps
from icm_jax.systems.counterfactual.imagenet.mechanisms import Networks, make_networks
from icm_jax.systems.counterfactual.networks import vgg

_WIDTHS = (64, 128, 256, 512)  # of VGG16's blocks


def count(pixels: int, images: int, precision: str) -> dict[str, float]:
    """Operations and bytes of a step, by name; nothing is computed."""
    config = default_config("counterfactual_imagenet")
    config.model.resolution, config.batch_size = pixels, images
    compute = Compute(precision, "grouped", "gpu")
    networks = make_networks(config)
    networks = networks._replace(
        biggan=networks.biggan.clone(compute=compute), u2net=networks.u2net.clone(compute=compute)
    )
    noise, labels = jnp.zeros((images, networks.latent)), jnp.zeros((images, networks.classes))
    picture = jnp.zeros((images, pixels, pixels, 3))
    data = _shapes(networks, noise, labels, picture)
    training = steps.Training(config, networks, None)
    digests = {name: jnp.zeros(32, jnp.uint8) for name in ("biggan", "u2net")}
    init = functools.partial(state.init_state, config)
    before = jax.eval_shape(
        lambda params, key: init(params, digests, key),
        data["biggan"]["params"],
        jax.random.key(0),
    )
    step = functools.partial(steps.step, training)
    one = _bytes(data["biggan"]["params"])
    key = jax.random.key(0)
    batch = steps.Batch(noise, jnp.zeros(images, jnp.int32), picture)
    return {
        "parameters of a BigGAN (million)": one / 4e6,
        "parameters of U2-Net (million)": _bytes(data["u2net"]["params"]) / 4e6,
        "BigGAN, one image (GFLOP)": _operations(
            lambda v: networks.biggan.apply(v, noise, labels, 1.0), data["biggan"]
        )
        / images
        / 1e9,
        "U2-Net, one image (GFLOP)": _operations(
            lambda v: networks.u2net.apply(v, picture), data["u2net"]
        )
        / images
        / 1e9,
        "VGG16 to relu4_3, one image (GFLOP)": _operations(
            lambda v: vgg.features(v, picture, 4), data["vgg"]
        )
        / images
        / 1e9,
        "step (GFLOP)": _operations(step, before, data, key) / 1e9,
        "state and gradient (GB)": (_bytes(before) + 3 * one) / 1e9,
        "frozen networks (GB)": _bytes(data) / 1e9,
        "kept for the way back (GB)": _kept(training, before.params, data, batch) / 1e9,
    }


def _shapes(
    networks: Networks, noise: jax.Array, labels: jax.Array, picture: jax.Array
) -> dict[str, Any]:
    """Shapes of the frozen networks."""
    key, weights, channels = jax.random.key(0), {}, 3
    for names, width in zip(vgg.BLOCKS, _WIDTHS, strict=True):
        for name in names:
            shapes = {"kernel": (3, 3, channels, width), "bias": (width,)}
            weights[name] = {
                leaf: jax.ShapeDtypeStruct(shape, jnp.float32) for leaf, shape in shapes.items()
            }
            channels = width
    biggan = functools.partial(networks.biggan.init, key)
    return {
        "biggan": jax.eval_shape(biggan, noise, labels, 1.0),
        "u2net": jax.eval_shape(functools.partial(networks.u2net.init, key), picture),
        "vgg": weights,
    }


def _operations(function: Callable, *arguments: Any) -> float:
    return jax.jit(function).lower(*arguments).cost_analysis()["flops"]


def _kept(training: steps.Training, params: Any, data: Any, batch: steps.Batch) -> int:
    """Bytes that the gradient of the losses keeps, without what it is given."""

    def backward(params: Any, data: Any, batch: steps.Batch) -> Any:
        def value(params: Any) -> jax.Array:
            return steps.mean_loss(params, training, data, batch, jax.random.key(0))[0]

        return jax.vjp(value, params)[1]

    kept = jax.eval_shape(backward, params, data, batch)
    return _bytes(kept) - _bytes(params)


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def main(arguments: list[str]) -> None:
    """Prints the table for the arguments of the command line."""
    defaults = ["256", "1", "float32"]
    pixels, images, precision = [*arguments, *defaults[len(arguments) :]]
    for name, value in count(int(pixels), int(images), precision).items():
        print(f"{name:40} {value:12.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
