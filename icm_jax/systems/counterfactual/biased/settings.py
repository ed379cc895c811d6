"""Fields of `config.data` that choose a biased data set, and their rules."""

from typing import Any

from ml_collections import ConfigDict

from icm_jax.schema import Field, Fields, any_text, at_least, is_share, one_of, share, tuple_of

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
        share(),
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
    "unbiased": Field(
        (0.0, 0.0),
        tuple_of("shares from 0 to 1, one or more", is_share),
        "share of the training images of each environment whose colours or textures are of any "
        "class, as those of test images are; zeros as published",
    ),
}


def data_of(name: str) -> dict[str, Any]:
    """The fields of `config.data` that the name of a set chooses."""
    return {"set": name, "source": "folder"} if name == OWN else {"set": name}


def check_data(data: ConfigDict) -> None:
    """Refuses values of `config.data` that do not go together.

    Raises:
      ValueError: digits are to have another size than theirs, there is no environment, or colours
        are to be drawn of images that are as they are.
    """
    if not len(data.unbiased):
        raise ValueError(
            "data.unbiased: () is not allowed; it must be shares of 1 environment or more"
        )
    if data.set == OWN and any(data.unbiased):
        raise ValueError(
            f"data.unbiased: {tuple(data.unbiased)!r} is not allowed with data.set {OWN!r}, whose "
            "images are as they are; it must be zeros"
        )
    if data.set != OWN and data.size != 32:
        raise ValueError(
            f"data.size: {data.size} is not allowed with data.set {data.set!r}; it must be 32"
        )
