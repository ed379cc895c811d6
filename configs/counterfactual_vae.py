"""What generative models mix up: a variational autoencoder on coloured MNIST.

    python launch.py --config=configs/counterfactual_vae.py
    python launch.py --config=configs/counterfactual_vae.py --config.generator=runs/...

Its latent space is drawn by digit and by colour; its samples are judged by whether they show a
digit in a colour that this digit does not have in training. With a generator, which
configs/counterfactual.py trained or which was published, its counterfactuals are judged beside.
"""

from ml_collections import ConfigDict

from icm_jax import default_config


def get_config() -> ConfigDict:
    """The defaults of `icm_jax.systems.counterfactual.mixing.config`."""
    return default_config("counterfactual_vae")
