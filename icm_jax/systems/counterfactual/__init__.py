"""Counterfactual generation: shape, foreground and background that can be told apart."""

from icm_jax.systems.counterfactual import gan, generation, invariance

KINDS = {
    "counterfactual": generation.KIND,
    "conditional_gan": gan.KIND,
    "invariant_classifier": invariance.KIND,
}
