"""Fields of `config.data` that choose a biased data set, and their rules."""

from ml_collections import ConfigDict

from icm_jax.schema import Field, Fields, any_text, at_least, one_of

SETS = ("colored", "double_colored", "wildlife", "folder")
OWN = "folder"

DATA_FIELDS: Fields = {
    "set": Field(
        "colored",
        one_of(SETS),
        "what is made of the images (icm_jax.systems.counterfactual.biased); folder: labelled "
        "images as they are, of any source",
    ),
    "size": Field(
        32, ("32 or 64", lambda size: size in (32, 64)), "pixels a side; 64 for set folder alone"
    ),
    "variance": Field(
        0.02,
        at_least(0),
        "variance of each channel of colours in a class, as shares of 255",
        of=("colored",),
    ),
    "deviation": Field(
        0.01,
        at_least(0),
        "standard deviation of each channel of colours in a class, as shares of 255",
        of=("double_colored",),
    ),
    "textures": Field(
        "",
        any_text(),
        "folder or zip with images in object and background, the i-th by name of class i; '': made "
        "ones",
        of=("wildlife",),
    ),
}


def check_data(data: ConfigDict) -> None:
    """Refuses values of `config.data` that do not go together.

    Raises:
      ValueError: digits are to have another size than theirs.
    """
    if data.set != OWN and data.size != 32:
        raise ValueError(
            f"data.size: {data.size} is not allowed with data.set {data.set!r}; it must be 32"
        )
