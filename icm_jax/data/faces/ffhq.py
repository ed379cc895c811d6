"""Flickr-Faces-HQ (Karras, Laine and Aila 2019): numbered files and nothing else."""

from icm_jax.data.faces.reader import Reader, by_path

READER = Reader(by_path(r"\d{5}", lambda match: {}), layout="00000.png")
