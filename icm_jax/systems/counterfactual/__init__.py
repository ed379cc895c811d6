"""Counterfactual generation: shape, foreground and background that can be told apart."""

from icm_jax.systems.counterfactual import gan, generation, invariance, mixing
from icm_jax.systems.counterfactual.imagenet import ensemble
from icm_jax.systems.counterfactual.imagenet import generation as imagenet_generation

KINDS = {
    "counterfactual": generation.KIND,
    "conditional_gan": gan.KIND,
    "counterfactual_vae": mixing.KIND,
    "invariant_classifier": invariance.KIND,
    "counterfactual_imagenet": imagenet_generation.KIND,
    "invariant_ensemble": ensemble.KIND,
}
