"""A small conditional GAN."""

from icm_jax import default_config
from icm_jax.systems.counterfactual.gan.config import recipe


def conditional_gan(choice="colored"):
    """A config of few steps and narrow networks."""
    c = default_config("conditional_gan")
    c.update(recipe(choice))
    c.batch_size, c.steps = 4, 2
    c.generator.latent, c.generator.width = 3, 2
    c.discriminator.width = 4
    c.evaluation.every, c.evaluation.images = 2, 2
    c.log.every, c.checkpoint.every = 1, 2
    return c
