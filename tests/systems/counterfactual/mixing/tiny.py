"""A small autoencoder of coloured squares."""

from icm_jax import default_config


def counterfactual_vae(generator=""):
    """A config of few steps and narrow networks."""
    c = default_config("counterfactual_vae")
    c.generator = str(generator)
    c.batch_size, c.steps = 4, 4
    c.vae.latent, c.vae.width = 3, 2
    c.classifier.steps = 0  # its training is tested elsewhere
    c.evaluation.every, c.evaluation.images = 2, 100
    c.log.every, c.checkpoint.every = 1, 2
    return c
