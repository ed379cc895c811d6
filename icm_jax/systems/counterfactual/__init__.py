"""Counterfactual generation: shape, foreground and background that can be told apart."""

from icm_jax.systems.counterfactual import gan, generation, invariance, mixing

KINDS = {
    "counterfactual": generation.KIND,
    "conditional_gan": gan.KIND,
    "counterfactual_vae": mixing.KIND,
    "invariant_classifier": invariance.KIND,
}
