"""Small ICM experiments: two experts, two mechanisms, 12x12 images of two classes."""

import jax
from tiny import splits, write

from icm_jax import default_config
from icm_jax.systems.icm.build import build_competition

__all__ = ["build_icm", "icm", "splits", "take_expert", "write"]


def icm():
    """A config whose every network is as small as it can be."""
    c = default_config("icm")
    # XLA's own: those of few channels, as here, are long programs by default on a CPU.
    c.convolution = "grouped"
    c.batch_size = 8
    c.mechanisms = ("translate_right", "invert")
    c.experts.count = 2
    c.experts.filters = 3
    c.experts.layers = 1
    c.discriminator.stages = ((3,), (4,))
    c.discriminator.hidden = 5
    c.initialization.steps = 6
    c.initialization.threshold = 0.0
    c.competition.steps = 9
    c.competition.restart.every = 4
    c.classifier.stages = ((4,), (4,))
    c.classifier.hidden = 8
    c.classifier.batch_size = 8
    c.classifier.steps = 5
    c.evaluation.every = 4
    c.evaluation.images = 6
    c.log.every = 3
    c.checkpoint.every = 4
    return c


def build_icm(config, splits, axis_name=None):
    """The system of a config and its seed."""
    return build_competition(config, splits, [config.seed], axis_name)[0]


def take_expert(tree, e):
    """What expert e has of leaves `[E, ...]`."""
    return jax.tree.map(lambda t: t[e], tree)
