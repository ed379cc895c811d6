"""Flickr-Faces-HQ (Karras, Laine and Aila 2019): numbered PNG files and nothing else."""

from icm_jax.data.faces.reader import Reader, by_path

READER = Reader(by_path(r"\d{5}\.png", lambda match: {}), layout="00000.png")
