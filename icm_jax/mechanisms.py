"""The mechanisms M_j: pure functions of a key and one image, registered by name.

A mechanism maps an image `[H, W, C]` in [0, 1] to an image of the same shape and range. Which
mechanism made an image is known to the evaluation only, never to training. A new one takes
three lines, in this file, a config file or a notebook:

    @mechanisms.register("mirror")
    def mirror(key, image):
        return image[:, ::-1]
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence

import chex
import jax
import jax.numpy as jnp

Mechanism = Callable[[jax.Array, jax.Array], jax.Array]
Spec = str | Mapping[str, object]

_registry: dict[str, Callable[..., jax.Array]] = {}


def register(name: str) -> Callable[[Callable], Callable]:
    """Decorator that makes `fn(key, image, **parameters)` available under `name`."""

    def add(fn: Callable) -> Callable:
        _registry[name] = fn
        return fn

    return add


@register("translate")
def translate(key: jax.Array, image: jax.Array, *, dx: int, dy: int) -> jax.Array:
    """Shifts the image `dx` pixels right and `dy` down; what leaves is lost, zeros come in."""
    del key
    height, width = image.shape[:2]
    x, y = abs(dx), abs(dy)
    padded = jnp.pad(image, ((y, y), (x, x), (0, 0)))
    return padded[y - dy : y - dy + height, x - dx : x - dx + width]


@register("invert")
def invert(key: jax.Array, image: jax.Array) -> jax.Array:
    """Inverts the contrast: x becomes 1 - x."""
    del key
    return 1.0 - image


@register("noise")
def noise(key: jax.Array, image: jax.Array, *, std: float = 0.5) -> jax.Array:
    """Adds Gaussian noise of mean 0 and standard deviation `std`, clipped to [0, 1]."""
    return jnp.clip(image + std * jax.random.normal(key, image.shape, image.dtype), 0.0, 1.0)


def _register_translations(pixels: int) -> None:
    for name, dx, dy in (
        ("right", 1, 0),
        ("left", -1, 0),
        ("down", 0, 1),
        ("up", 0, -1),
        ("down_right", 1, 1),
        ("down_left", -1, 1),
        ("up_right", 1, -1),
        ("up_left", -1, -1),
    ):
        shift = functools.partial(translate, dx=pixels * dx, dy=pixels * dy)
        register(f"translate_{name}")(shift)


_register_translations(pixels=4)

# The ten of Parascandolo et al. 2018: translations by 4 pixels, inversion, noise of variance 0.25.
PAPER = (*(name for name in _registry if name.startswith("translate_")), "invert", "noise")
# The three of the 2022 reproduction.
THREE = ("translate_right", "translate_down", "invert")


def label(spec: Spec) -> str:
    """The name of a mechanism as results show it: `noise`, or `noise(std=0.1)`."""
    if isinstance(spec, str):
        return spec
    parameters = ", ".join(f"{k}={v}" for k, v in spec.items() if k != "name")
    return f"{spec['name']}({parameters})" if parameters else str(spec["name"])


def build(spec: Spec) -> Mechanism:
    """The mechanism that `spec` names.

    Args:
      spec: a registered name, or a mapping with `name` and parameters of that mechanism:
        `{"name": "translate", "dx": 2, "dy": 0}`.

    Raises:
      ValueError: for a name that is not registered, a parameter that the mechanism does not
        take, or one that it needs and is missing.
    """
    if not isinstance(spec, str | Mapping):
        raise ValueError(f"mechanisms: {spec!r} is neither a name nor a name with parameters")
    parameters = {} if isinstance(spec, str) else {k: v for k, v in spec.items() if k != "name"}
    name = spec if isinstance(spec, str) else spec.get("name")
    if name not in _registry:
        raise ValueError(
            f"mechanisms: {name!r} is not registered; choose from {', '.join(_registry)}"
        )
    try:
        inspect.signature(_registry[name]).bind(None, None, **parameters)
    except TypeError as error:
        raise ValueError(f"mechanisms: {label(spec)}: {error}") from error
    return functools.partial(_registry[name], **parameters)


def apply(
    mechanisms: Sequence[Mechanism], key: jax.Array, images: jax.Array, index: jax.Array
) -> jax.Array:
    """Transforms each image by the mechanism that its index names.

    Args:
      mechanisms: M functions.
      key: one key; every image gets its own.
      images: float32 `[B, H, W, C]` in [0, 1].
      index: int32 `[B]` in [0, M).

    Returns:
      float32 `[B, H, W, C]` in [0, 1].
    """
    chex.assert_rank([images, index], [4, 1])
    keys = jax.random.split(key, images.shape[0])
    return jax.vmap(lambda i, k, x: jax.lax.switch(i, mechanisms, k, x))(index, keys, images)
