"""UTKFace (Zhang, Song and Qi 2017): age, gender and race stand in the name of a file."""

import re

from icm_jax.data.faces.reader import Reader, by_path

# Upper ends of the bands, inclusive.
_BANDS = ((12, "0-12"), (19, "13-19"), (39, "20-39"), (59, "40-59"))
_LAST_BAND = "60+"


def age_band(age: int) -> str:
    """The band of an age in years: 0-12, 13-19, 20-39, 40-59 or 60+."""
    return next((name for end, name in _BANDS if age <= end), _LAST_BAND)


def _attributes(match: re.Match) -> dict[str, str | int]:
    age, gender, race = map(int, match.groups())
    return {"age": age, "age_band": age_band(age), "gender": gender, "race": race}


# gender: 0 male, 1 female; race: 0 White, 1 Black, 2 Asian, 3 Indian, 4 others. A few published
# names lack a number. What follows the three does not matter: some have a blank or no full stop.
READER = Reader(
    by_path(r"(\d{1,3})_([01])_([0-4])_[^/]*", _attributes),
    layout="age_gender_race_time.jpg with gender 0 or 1 and race 0 to 4",
    label="gender",
)
