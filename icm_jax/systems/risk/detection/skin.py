"""Natural skin tone: recall and scores by the measured luminance of faces; none is planted.

Luminance is of the middle of a face, so of skin for the most part, but of light and camera as well.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from icm_jax.evaluation import ranking
from icm_jax.systems.risk.groups import FACE, luminance_groups
from icm_jax.systems.risk.worlds import World

QUARTERS = ("darkest", "darker", "brighter", "brightest")
_UNTOUCHED = 0  # the group of all worlds to whose images nothing is done


def describe_luminance(
    world: World, right: np.ndarray, scores: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Recall and mean scores of test faces in four groups by luminance, darkest first.

    Groups end at the quartiles of all training faces. Only faces to which the world did nothing
    count, so that what it planted is not taken for what skin does.

    Args:
      world: of images in colour; of grey ones nothing is measured.
      right: bool `[N]`, which test images are called what they are.
      scores: of the test images, by name, `[N]`.

    Returns:
      A row a group: `name`, how many `faces`, mean `luminance` (0 to 255), `recall`, and the mean
      of each score; None of a group without faces. [] of grey images.
    """
    train, test = (split.attributes for split in world.splits)
    if "luminance" not in test:
        return []
    faces = (test["true"] == FACE) & (test["group"] == _UNTOUCHED)
    quarter = luminance_groups(test["luminance"], train["luminance"][train["true"] == FACE])
    measured = {"luminance": test["luminance"], "recall": right, **scores}
    rows = []
    for number, name in enumerate(QUARTERS):
        here = faces & (quarter == number)
        means = {key: ranking.mean(values[here]) for key, values in measured.items()}
        rows.append({"name": name, "faces": int(here.sum()), **means})
    return rows
