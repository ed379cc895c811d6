"""A small classifier of coloured squares."""

from systems.counterfactual.gan import tiny as gans
from systems.counterfactual.generation import tiny as generators

from icm_jax import default_config
from icm_jax.systems.counterfactual.invariance.config import set_and_method


def classifier(choice="colored,original", generator=""):
    """A config of few steps and small batches, of a small generator where none is given."""
    c = default_config("invariant_classifier")
    c.update(set_and_method(choice))
    c.generator = str(generator)
    recipes = (
        (c.recipe, generators.counterfactual(c.data.set)),
        (c.gan_recipe, gans.conditional_gan(c.data.set)),
    )
    for of, small in recipes:
        of.update({name: small[name] for name in of})
    # XLA's own: those of few channels, as here, are long programs by default on a CPU.
    c.convolution = "grouped"
    c.batch_size, c.steps = 4, 4
    c.evaluation.every, c.evaluation.images = 2, 5
    c.log.every, c.checkpoint.every = 1, 2
    return c
