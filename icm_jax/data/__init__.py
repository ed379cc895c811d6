"""Named data sets as uint8 arrays, their splits, and batches drawn from them on the device."""

from icm_jax.data.batches import draw, draw_indices, draw_of_groups, pad, to_float
from icm_jax.data.sources import SOURCES, load
from icm_jax.data.split import divide, evenly, halve, restrict, values_of
from icm_jax.data.types import Dataset, Pool, Splits

__all__ = [
    "SOURCES",
    "Dataset",
    "Pool",
    "Splits",
    "divide",
    "draw",
    "draw_indices",
    "draw_of_groups",
    "evenly",
    "halve",
    "load",
    "pad",
    "restrict",
    "to_float",
    "values_of",
]
