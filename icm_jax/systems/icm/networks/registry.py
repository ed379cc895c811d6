"""The experts that a config can name in `experts.kind`: one row each.

A new kind is a module in a file of this folder, called as `experts` says, and a row here; fields of
its own stand in `icm_jax/systems/icm/config.py`.
"""

from collections.abc import Callable

import flax.linen as nn
from ml_collections import ConfigDict

from icm_jax.networks.activations import ACTIVATIONS, OUTPUTS
from icm_jax.networks.compute import Compute
from icm_jax.systems.icm.networks.experts import ConvExpert, ResidualExpert
from icm_jax.systems.icm.networks.vae import VAEExpert


def _conv(config: ConfigDict, axis_name: str | None, compute: Compute) -> nn.Module:
    return ConvExpert(
        filters=config.filters,
        layers=config.layers,
        activation=ACTIVATIONS[config.activation],
        output=OUTPUTS[config.output],
        axis_name=axis_name,
        compute=compute,
    )


def _residual(config: ConfigDict, axis_name: str | None, compute: Compute) -> nn.Module:
    return ResidualExpert(
        filters=config.filters,
        layers=config.layers,
        patch=config.patch,
        activation=ACTIVATIONS[config.activation],
        axis_name=axis_name,
        compute=compute,
    )


def _vae(config: ConfigDict, axis_name: str | None, compute: Compute) -> nn.Module:
    return VAEExpert(
        latent=config.latent,
        beta=config.beta,
        activation=ACTIVATIONS[config.activation],
        output=OUTPUTS[config.output],
        axis_name=axis_name,
        compute=compute,
    )


# (config.experts, device axis or None, how layers compute) -> a module: one expert.
EXPERTS: dict[str, Callable[[ConfigDict, str | None, Compute], nn.Module]] = {
    "conv": _conv,
    "residual": _residual,
    "vae": _vae,
}
