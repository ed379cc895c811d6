"""Counterfactual generation: shape, foreground and background that can be told apart."""

from icm_jax.systems.counterfactual import generation, invariance

KINDS = {"counterfactual": generation.KIND, "invariant_classifier": invariance.KIND}
