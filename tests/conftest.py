"""Settings for all tests, and for the processes that they start."""

import os

# The tests run tiny programs once: most of their time is compilation.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "true"

import jax  # noqa: E402

# What is summed by accident of broadcasting is an error.
jax.config.update("jax_numpy_rank_promotion", "raise")
