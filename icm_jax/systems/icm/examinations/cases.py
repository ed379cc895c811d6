"""Test images changed in many ways, one after the other, and what is asked about all of them."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import mechanisms
from icm_jax.chunks import in_chunks

PyTree = Any
NONE = -1
# (changed images float32 [B, H, W, C], their cases int [B], their numbers int [B]) -> [B, ...]
Ask = Callable[[jax.Array, np.ndarray, np.ndarray], PyTree]


class Case(NamedTuple):
    """Images that were changed alike.

    Attributes:
      group: of cases: 'clean', 'known', 'weaker', 'stronger', 'two in a row' or 'unknown'.
      name: of what changed them.
      first, second: numbers of mechanisms, applied in this order; -1 for none.
      count: images.
    """

    group: str
    name: str
    first: int
    second: int
    count: int


def check_mechanisms(*fields: str) -> Callable[[ConfigDict], None]:
    """A check of settings: refuses mechanisms in these fields that cannot be built."""

    def check(settings: ConfigDict) -> None:
        for field in fields:
            for spec in settings[field]:
                try:
                    mechanisms.build(spec)
                except ValueError as error:
                    raise ValueError(f"{field}: {error}") from error

    return check


def single_cases(groups: dict[str, Sequence[mechanisms.Spec]], count: int) -> list[Case]:
    """A case of `count` images for each mechanism of each group, numbered in this order."""
    specs = [(group, spec) for group, of in groups.items() for spec in of]
    return [
        Case(group, mechanisms.label(spec), number, NONE, count)
        for number, (group, spec) in enumerate(specs)
    ]


def ask_cases(
    ask: Ask,
    bank: Sequence[mechanisms.Mechanism],
    cases: Sequence[Case],
    images: np.ndarray,
    key: jax.Array,
    name: str,
) -> list[PyTree]:
    """Asks about the first images in all cases.

    Args:
      ask: of some images at a time; the last ones may come again.
      bank: all mechanisms that cases number.
      cases: what is done with images, each with its first `count` ones.
      images: float32 `[N, H, W, C]` in [0, 1].
      key: of what is random in the mechanisms.
      name: of a progress bar.

    Returns:
      For each case what was answered, NumPy arrays `[count, ...]`.
    """
    chex.assert_rank(images, 4)
    counts = [case.count for case in cases]
    of = np.repeat(np.arange(len(cases)), counts)
    which = np.concatenate([np.arange(count) for count in counts])
    order = np.array([(case.first, case.second) for case in cases])
    change = jax.jit(functools.partial(_change, (*bank, lambda key, image: image)))

    def call(index):
        case = of[index]
        own = jax.random.fold_in(key, index[0])
        return ask(change(images[which[index]], *order[case].T, own), case, which[index])

    answers = in_chunks(call, len(of), name=name)
    ends = np.cumsum(counts)
    return [
        jax.tree.map(lambda values, end=end, count=count: values[end - count : end], answers)
        for end, count in zip(ends, counts, strict=True)
    ]


def _change(
    bank: tuple[mechanisms.Mechanism, ...],
    images: jax.Array,
    first: jax.Array,
    second: jax.Array,
    key: jax.Array,
) -> jax.Array:
    """Each image by two mechanisms, -1 being the last of the bank, which changes nothing."""
    for number, index in enumerate((first, second)):
        own = jax.random.fold_in(key, number)
        images = mechanisms.apply(bank, own, images, jnp.where(index < 0, len(bank) - 1, index))
    return images
