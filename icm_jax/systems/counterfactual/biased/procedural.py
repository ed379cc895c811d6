"""Made textures, where there are no pictures of any: ten with veins and ten with stripes.

Always the same ones. Each class has its own colours, and its own width of veins or direction and
width of stripes, so that a small piece tells it.
"""

import colorsys

import numpy as np

_HUES = 10


def make_veined(side: int, classes: int) -> np.ndarray:
    """Bright veins on dark ground, as of leaves or marble: uint8 `[classes, side, side, 3]`."""
    return np.stack([_vein(side, number) for number in range(classes)])


def make_striped(side: int, classes: int) -> np.ndarray:
    """Two colours in wavy stripes, as of zebras or tigers: uint8 `[classes, side, side, 3]`."""
    return np.stack([_stripe(side, number) for number in range(classes)])


def _vein(side: int, number: int) -> np.ndarray:
    rng = np.random.RandomState(number)
    width = 4 + 1.5 * (number % 3)  # pixels between veins, roughly
    # Where smooth noise crosses zero there is a vein; finer noise gives the finer ones.
    coarse, fine = (_draw_noise(rng, side, scale) for scale in (width, width / 2))
    veins = np.maximum(np.exp(-((coarse / 0.15) ** 2)), 0.6 * np.exp(-((fine / 0.2) ** 2)))
    # Neighbours in hue differ in brightness.
    ground, vein = _color(number, 0.75, (0.55, 0.3)[number % 2]), _color(number + 0.5, 0.35, 0.95)
    return _mix(ground, vein, veins, 0.06 * _draw_noise(rng, side, 1))


def _stripe(side: int, number: int) -> np.ndarray:
    rng = np.random.RandomState(100 + number)
    row, column = np.mgrid[:side, :side]
    angle = np.pi * (number * 3 % _HUES) / _HUES
    width = 8 + 2 * (number % 4)  # pixels from stripe to stripe
    phase = (np.cos(angle) * column + np.sin(angle) * row) / width + 0.3 * _draw_noise(rng, side, 9)
    stripes = 0.5 + 0.5 * np.tanh(3 * np.sin(2 * np.pi * phase))
    dark, bright = _color(number + 5, 0.9, 0.2), _color(number + 5, 0.6, 1.0)
    return _mix(dark, bright, stripes, 0.03 * _draw_noise(rng, side, 1))


def _draw_noise(rng: np.random.RandomState, side: int, scale: float) -> np.ndarray:
    """Noise `[side, side]` of mean 0 and deviation 1, smooth over `scale` pixels."""
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
    kept = np.exp(-2 * (np.pi * scale) ** 2 * (rows**2 + columns**2))
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((side, side))) * kept, (side, side))
    return (noise - noise.mean()) / noise.std()


def _color(hue: float, saturation: float, value: float) -> np.ndarray:
    """A colour `[3]`, red, green and blue from 0 to 1, of a hue in tenths of the circle."""
    return np.array(colorsys.hsv_to_rgb(hue / _HUES % 1, saturation, value))


def _mix(first: np.ndarray, second: np.ndarray, share: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """uint8 `[side, side, 3]`: `share` of the second colour, and grain in brightness."""
    mixed = first + share[..., None] * (second - first) + grain[..., None]
    return np.rint(255 * mixed.clip(0, 1)).astype(np.uint8)
