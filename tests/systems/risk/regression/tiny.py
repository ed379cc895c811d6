"""Small experiments of regression: a plane with noise, two splits of unequal sizes."""

import numpy as np

from icm_jax import default_config
from icm_jax.systems.risk.regression.registry import WRAPPERS
from icm_jax.systems.risk.tables import Table


def plane(rows=60, features=2, splits=2):
    """y = 3 x0 - x1 + 10 with noise of 0.5; split s tests on 24 + 2 s rows."""
    rng = np.random.RandomState(0)
    x = rng.standard_normal((rows, features)).astype(np.float32)
    y = 3 * x[:, :1] - x[:, 1:2] + 10 + 0.5 * rng.standard_normal((rows, 1))
    test = np.zeros((splits, rows), bool)
    for split in range(splits):
        test[split, rng.permutation(rows)[: 24 + 2 * split]] = True
    return Table(x, y.astype(np.float32), test, "plane")


def regression(wrappers=tuple(WRAPPERS)):
    """A config of few steps and small networks."""
    c = default_config("risk_regression")
    c.data.name = "plane"
    c.wrappers = tuple(wrappers)
    c.hidden = (4,)
    c.members, c.dropout.passes, c.vae.latent = 2, 3, 2
    c.histogram.size = c.density.size = 16
    c.density.neighbours = 3
    c.batch_size = 8
    c.steps = 4
    c.evaluation.every = 2
    c.log.every = 1
    c.checkpoint.every = 2
    return c
