"""Named data sets as uint8 arrays, their splits, and batches drawn from them on the device."""

from icm_jax.data.batches import draw, draw_indices, pad, shift, to_bytes, to_float
from icm_jax.data.groups import Groups, draw_balanced, draw_each, draw_members, group
from icm_jax.data.sources import SOURCES, load
from icm_jax.data.split import divide, evenly, halve, restrict, values_of
from icm_jax.data.types import Dataset, Pool, Splits

__all__ = [
    "SOURCES",
    "Dataset",
    "Groups",
    "Pool",
    "Splits",
    "divide",
    "draw",
    "draw_balanced",
    "draw_each",
    "draw_indices",
    "draw_members",
    "evenly",
    "group",
    "halve",
    "load",
    "pad",
    "restrict",
    "shift",
    "to_bytes",
    "to_float",
    "values_of",
]
