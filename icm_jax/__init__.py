"""Independent causal mechanisms in JAX and Flax: what a notebook or a program imports.

default_config  the config of a system, every field with its default
run             trains a config in a folder, or evaluates what was trained there
mechanisms      what transforms images; `mechanisms.register` adds one
Dataset, Splits images and labels of one's own
restore         what a trained model makes of images; `restore.load`, `restore.export`
"""

from icm_jax import mechanisms
from icm_jax.data import Dataset, Splits
from icm_jax.experiment import run
from icm_jax.systems.icm import restore
from icm_jax.systems.registry import default_config

__all__ = ["Dataset", "Splits", "default_config", "mechanisms", "restore", "run"]
