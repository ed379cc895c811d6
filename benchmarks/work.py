"""The arithmetic and the memory traffic that a step of the competition cannot do without."""

from collections.abc import Sequence
from typing import NamedTuple

from ml_collections import ConfigDict

Shape = Sequence[int]  # (H, W, C)


class Layer(NamedTuple):
    """A convolution or dense layer, for one image.

    Attributes:
      flops: of its forward pass; a multiply-add counts 2. Biases, batch norm, activations and
        pooling are not counted.
      inputs: numbers that it reads.
      outputs: numbers that it writes.
      parameters: its weights, without biases.
    """

    flops: int
    inputs: int
    outputs: int
    parameters: int


class Step(NamedTuple):
    """Floating point operations of one step, and bytes moved between memory and processor."""

    flops: int
    bytes: int


def expert_layers(config: ConfigDict, shape: Shape) -> list[Layer]:
    """The layers of one expert (`config.experts`, of kind 'conv') on images of `shape`."""
    if config.experts.kind != "conv":
        raise ValueError(f"experts.kind: {config.experts.kind!r} is not counted; choose 'conv'")
    height, width, channels = shape
    sizes = [channels] + [config.experts.filters] * config.experts.layers + [channels]
    return [_conv(height * width, i, o) for i, o in zip(sizes, sizes[1:], strict=False)]


def discriminator_layers(config: ConfigDict, shape: Shape) -> list[Layer]:
    """The layers of the discriminator (`config.discriminator`) on images of `shape`."""
    height, width, channels = shape
    layers = []
    for stage in config.discriminator.stages:
        for filters in stage:
            layers.append(_conv(height * width, channels, filters))
            channels = filters
        height, width = height // 2, width // 2
    hidden = config.discriminator.hidden
    return [*layers, _dense(height * width * channels, hidden), _dense(hidden, 1)]


def step(config: ConfigDict, shape: Shape, itemsize: int = 4) -> Step:
    """What one step needs: E experts (`config.experts.count`), B images, updates of both sides.

    Counted are, whatever a program does besides:
      * scores: all experts forward on all images, E * B;
      * the discriminator's update: forward and backward on E * B outputs and B canonical images,
        the forward pass giving the scores too;
      * the experts' update: the won images alone, B, forward and backward through their winners,
        and through the discriminator for the gradient with respect to its input.

    A layer's backward pass is a kernel gradient and an input gradient, each of as many operations
    as its forward pass; a network's first layer has no input gradient where nobody asks for it.
    Bytes: a layer reads its input and writes its output once forward; backward, a kernel gradient
    reads the input and the output's gradient, an input gradient writes one number for each input
    (normalisation, activation and pooling are thought of as part of the neighbouring layers).
    Every network's parameters are read once in each direction, and Adam reads parameter, gradient
    and two moments and writes three of them, in float32.

    Args:
      config: see `icm_jax.systems.icm.config`.
      shape: of one image, `(H, W, C)`.
      itemsize: bytes of one number of an activation.
    """
    count, batch = config.experts.count, config.batch_size
    expert, discriminator = expert_layers(config, shape), discriminator_layers(config, shape)
    passes = (
        (expert, count * batch, _forward),
        (discriminator, (count + 1) * batch, _forward),
        (discriminator, (count + 1) * batch, _kernel_gradients),
        (discriminator, (count + 1) * batch, _inner_gradients),
        (expert, batch, _forward),
        (discriminator, batch, _forward),
        (discriminator, batch, _input_gradients),
        (expert, batch, _kernel_gradients),
        (expert, batch, _inner_gradients),
    )
    work = [(images, *one(layers)) for layers, images, one in passes]
    flops = sum(images * flops for images, flops, _ in work)
    activations = sum(images * numbers for images, _, numbers in work)
    parameters = count * _parameters(expert) + _parameters(discriminator)
    return Step(flops, itemsize * (activations + 2 * parameters) + 4 * 7 * parameters)


def _conv(pixels: int, channels: int, filters: int) -> Layer:
    """A 3x3 convolution of stride 1 whose output has as many pixels as its input."""
    weights = 9 * channels * filters
    return Layer(2 * pixels * weights, pixels * channels, pixels * filters, weights)


def _dense(inputs: int, outputs: int) -> Layer:
    return Layer(2 * inputs * outputs, inputs, outputs, inputs * outputs)


def _parameters(layers: list[Layer]) -> int:
    return sum(layer.parameters for layer in layers)


def _forward(layers: list[Layer]) -> tuple[int, int]:
    """`(flops, numbers moved)` for one image."""
    return sum(layer.flops for layer in layers), sum(
        layer.inputs + layer.outputs for layer in layers
    )


def _kernel_gradients(layers: list[Layer]) -> tuple[int, int]:
    return _forward(layers)


def _input_gradients(layers: list[Layer]) -> tuple[int, int]:
    return sum(layer.flops for layer in layers), sum(layer.inputs for layer in layers)


def _inner_gradients(layers: list[Layer]) -> tuple[int, int]:
    """Input gradients of all layers but the first."""
    return _input_gradients(layers[1:])
