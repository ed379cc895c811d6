"""Mechanisms by name: how they are registered, built from a config, checked and applied."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

Mechanism = Callable[[jax.Array, jax.Array], jax.Array]
Spec = str | Mapping[str, object]


class _Registered(NamedTuple):
    function: Callable[..., jax.Array]
    region: Callable[..., np.ndarray] | None


_registry: dict[str, _Registered] = {}


def register(
    name: str, region: Callable[..., np.ndarray] | None = None
) -> Callable[[Callable], Callable]:
    """Decorator that makes `fn(key, image, **parameters)` available under `name`.

    Args:
      name: how configs call it.
      region: `(height, width, **parameters) -> bool [H, W]`, the pixels that the mechanism may
        change, of those of its parameters that it takes. By default all of them.
    """

    def add(fn: Callable) -> Callable:
        _registry[name] = _Registered(fn, region)
        return fn

    return add


def unregister(name: str) -> None:
    """Takes a name out again; one that is not there is no error."""
    _registry.pop(name, None)


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
    registered, parameters = _find(spec)
    return functools.partial(registered.function, **parameters)


def region(spec: Spec, height: int, width: int) -> np.ndarray:
    """The pixels that a mechanism may change: bool `[height, width]`.

    Args and errors are as in `build`.
    """
    registered, parameters = _find(spec)
    if registered.region is None:
        return np.ones((height, width), bool)
    bound = inspect.signature(registered.function).bind(None, None, **parameters)
    bound.apply_defaults()
    taken = inspect.signature(registered.region).parameters
    return registered.region(height, width, **{k: v for k, v in bound.kwargs.items() if k in taken})


def check(specs: Sequence[Spec], shape: Sequence[int]) -> None:
    """Refuses mechanisms that cannot be applied to images of a shape, without any work.

    Args:
      specs: as in `build`.
      shape: `(H, W, C)`.

    Raises:
      ValueError: as `build` does; a mechanism fails on such an image, or makes one of another shape
        or dtype.
    """
    image = jax.ShapeDtypeStruct(tuple(shape), jnp.float32)
    for spec in specs:
        mechanism = build(spec)
        try:
            made = jax.eval_shape(mechanism, jax.random.key(0), image)
        except Exception as error:
            # A mechanism is anybody's code; whatever it raises would end training later.
            raise ValueError(f"mechanisms: {label(spec)}: {error}") from error
        is_array = isinstance(made, jax.ShapeDtypeStruct)
        if not is_array or (made.shape, made.dtype) != (image.shape, image.dtype):
            what = f"{made.dtype} {made.shape}" if is_array else type(made).__name__
            raise ValueError(
                f"mechanisms: {label(spec)} makes {what} of an image "
                f"{image.dtype} {image.shape}; it must keep both"
            )


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


def _find(spec: Spec) -> tuple[_Registered, dict[str, object]]:
    """What is registered under the name of a spec, and its parameters; raises as `build`."""
    if not isinstance(spec, str | Mapping):
        raise ValueError(f"mechanisms: {spec!r} is neither a name nor a name with parameters")
    parameters = {} if isinstance(spec, str) else {k: v for k, v in spec.items() if k != "name"}
    name = spec if isinstance(spec, str) else spec.get("name")
    if name not in _registry:
        raise ValueError(
            f"mechanisms: {name!r} is not registered; choose from {', '.join(_registry)}, or, in "
            "the file of the config, import the module that registers it"
        )
    try:
        inspect.signature(_registry[name].function).bind(None, None, **parameters)
    except TypeError as error:
        raise ValueError(f"mechanisms: {label(spec)}: {error}") from error
    return _registry[name], parameters
