"""The detector: the lab's network, and what a config puts around it."""

from typing import Any

from ml_collections import ConfigDict

from icm_jax.networks.compute import Compute
from icm_jax.systems.risk import wrappers
from icm_jax.systems.risk.groups import FACE
from icm_jax.systems.risk.networks.lab import LabClassifier, LabDecoder
from icm_jax.systems.risk.wrappers.result import CLASSES


def make_model(config: ConfigDict, shape: tuple[int, ...], axis_name: str | None) -> Any:
    """The model of a config, of images of a shape `(H, W, C)`.

    Returns:
      See `icm_jax.systems.risk.wrappers.model`.
    """
    settings = config.model
    compute = Compute(config.precision, config.convolution)
    model = wrappers.plain(LabClassifier(axis_name=axis_name, compute=compute), CLASSES)
    if settings.aleatoric:
        model = wrappers.mve(model)
    if settings.latent:
        decoder = LabDecoder(shape[0], shape[-1], relu_last=settings.lab, compute=compute)
        sizes = settings.latent, settings.weight, settings.beta
        model = wrappers.vae(model, decoder, *sizes, capsa=settings.lab, of=FACE)
    if settings.density == "histogram":
        model = wrappers.histogram(model, settings.bins, settings.bank)
    if settings.density == "neighbours":
        model = wrappers.density(model, settings.neighbours, settings.bank)
    if settings.dropout:
        model = wrappers.dropout(model, settings.dropout, settings.passes)
    return wrappers.ensemble(model, settings.members) if settings.members > 1 else model
