"""Labelled Faces in the Wild (Huang et al. 2007): a folder for each person."""

from icm_jax.data.faces.reader import Reader, by_path

READER = Reader(
    by_path(r"([^/]+)/\1_\d{4}", lambda match: {"person": match[1]}),
    layout="Name/Name_0001.jpg",
    label="person",
)
