"""What was left out of training for its uncertainty, and what of it had a wrong label."""

from typing import Any

import numpy as np

from icm_jax.evaluation import ranking
from icm_jax.systems.risk.groups import FACE
from icm_jax.systems.risk.worlds import World


def describe_cleaning(world: World, weights: np.ndarray) -> dict[str, Any]:
    """Of training images those that are never drawn, by group and class.

    Args:
      world: of G groups.
      weights: float32 `[N]`, of its training images; 0: left out.

    Returns:
      {} where nothing was left out. Else `left_out`, how many `of` how many; `wrong`, the share of
      these whose label was flipped, and `found`, the share of all flipped labels that they are;
      `wrong_before` and `wrong_after`, shares of flipped labels among all images and among those
      that stay; `groups`, a row for each group and true class (`face` or not): `images`, share
      `left_out`, `wrong`, `wrong_before` and `wrong_after`, None of nothing.
    """
    train = world.splits.train
    out, wrong = weights == 0, train.labels != train.attributes["true"]
    if not out.any():
        return {}
    face, group = train.attributes["true"] == FACE, train.attributes["group"]
    rows = []
    for number, name in enumerate(world.names):
        for is_face in (True, False):
            here = (group == number) & (face == is_face)
            row = {"name": name, "face": is_face, "images": int(here.sum())}
            rows.append(
                {**row, "left_out": ranking.mean(out[here]), **_wrong(wrong[here], out[here])}
            )
    found = {"left_out": int(out.sum()), "of": len(out), "found": ranking.mean(out[wrong])}
    return {**found, **_wrong(wrong, out), "groups": rows}


def _wrong(wrong: np.ndarray, out: np.ndarray) -> dict[str, float | None]:
    """Shares of wrong labels among what is left out, all, and what stays."""
    return {
        "wrong": ranking.mean(wrong[out]),
        "wrong_before": ranking.mean(wrong),
        "wrong_after": ranking.mean(wrong[~out]),
    }
