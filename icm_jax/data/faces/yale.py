"""The Yale Face Database (Belhumeur et al. 1997): 15 people, 11 conditions, GIFs without suffix."""

import re

from icm_jax.data.faces.reader import Reader, by_path

_CONDITIONS = (
    "centerlight",
    "glasses",
    "happy",
    "leftlight",
    "noglasses",
    "normal",
    "rightlight",
    "sad",
    "sleepy",
    "surprised",
    "wink",
)


def _attributes(match: re.Match) -> dict[str, str]:
    person, condition = match.groups()
    return {
        "person": person,
        "condition": condition,
        # In the other conditions people wear glasses or not, as they came.
        "glasses": {"glasses": "yes", "noglasses": "no"}.get(condition, "unknown"),
        "light": condition.removesuffix("light") if condition.endswith("light") else "none",
    }


READER = Reader(
    by_path(rf"subject(\d\d)\.({'|'.join(_CONDITIONS)})", _attributes, needs_suffix=False),
    layout="subject01.happy",
    label="condition",
)
