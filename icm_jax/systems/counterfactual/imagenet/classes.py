"""Classes of ImageNet as those of two data sets of evaluation, read from `classes.json`."""

import functools
import json
from importlib import resources

import numpy as np

IMAGENET = 1000  # classes


def cue_conflict() -> dict[str, np.ndarray]:
    """The 16 categories of cue-conflict images (Geirhos et al. 2019), sorted, int32 indices each.

    As published with the code (`human_categories.py`): 207 of ImageNet's classes.
    """
    return {name: parse_indices(text) for name, text in sorted(_read()["cue_conflict"].items())}


def in9() -> tuple[str, ...]:
    """The names of ImageNet-9's classes (Xiao et al. 2021), in the order of its labels."""
    return tuple(_read()["in9"])


def to_in9() -> np.ndarray:
    """ImageNet-9's class of each of ImageNet's, int32 `[1000]`; -1 for the 630 of none."""
    mapped = np.full(IMAGENET, -1, np.int32)
    for label, text in enumerate(_read()["in9"].values()):
        mapped[parse_indices(text)] = label
    return mapped


def parse_indices(text: str) -> np.ndarray:
    """`'1,4-6'` as int32 `[1, 4, 5, 6]`."""
    spans = [span.split("-") for span in text.split(",")]
    return np.array([i for s in spans for i in range(int(s[0]), int(s[-1]) + 1)], np.int32)


@functools.cache
def _read() -> dict[str, dict[str, str]]:
    return json.loads((resources.files(__package__) / "classes.json").read_text("utf-8"))
