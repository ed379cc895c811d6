"""The wrappers that a config can name: a row each, from a network to a model."""

from collections.abc import Callable

from ml_collections import ConfigDict

from icm_jax.networks.compute import Compute
from icm_jax.systems.risk import wrappers
from icm_jax.systems.risk.networks.mlp import MLP
from icm_jax.systems.risk.wrappers.controller import Controller
from icm_jax.systems.risk.wrappers.wrap import AnyModel

Wrap = Callable[[ConfigDict, MLP, int], AnyModel | Controller]


def _mve(config, network, features):
    del features
    return wrappers.mve(network, config.mve.beta)


def _dropout(config, network, features):
    del features
    return wrappers.dropout(network, config.dropout.rate, config.dropout.passes)


def _vae(config, network, features):
    decoder = MLP(features, network.hidden[::-1], compute=network.compute)
    return wrappers.vae(network, decoder, config.vae.latent)


def _histogram(config, network, features):
    del features
    return wrappers.histogram(network, config.histogram.bins, config.histogram.size)


def _density(config, network, features):
    del features
    return wrappers.density(network, config.density.neighbours, config.density.size)


def _ensemble(config, network, features):
    del features
    return wrappers.ensemble(network, config.members)


def _all_on_one(config, network, features):
    each = {"mve": _mve, "dropout": _dropout, "histogram": _histogram, "vae": _vae}
    return wrappers.controller({name: of(config, network, features) for name, of in each.items()})


def _chain(*each):
    """Wrappers one after the other, the innermost first."""

    def wrap(config, network, features):
        for one in each:
            network = one(config, network, features)
        return network

    return wrap


# `(config, network, number of features) -> a model`. The place of a row decides upon its random
# numbers: what is new is added at the end.
WRAPPERS: dict[str, Wrap] = {
    "plain": lambda config, network, features: wrappers.plain(network),
    "mve": _mve,
    "dropout": _dropout,
    "ensemble": _ensemble,
    "dropout_mve": _chain(_mve, _dropout),
    "ensemble_mve": _chain(_mve, _ensemble),
    "ensemble_dropout": _chain(_dropout, _ensemble),
    "vae": _vae,
    "histogram": _histogram,
    "histogram_vae": _chain(_vae, _histogram),
    "density": _density,
    "controller": _all_on_one,
}


def make_network(config: ConfigDict) -> MLP:
    """The network that all wrappers go around, of one number."""
    return MLP(1, tuple(config.hidden), compute=Compute(config.precision))


def make_models(config: ConfigDict, features: int) -> dict[str, AnyModel | Controller]:
    """The model of every wrapper that a config names, for inputs of so many features."""
    network = make_network(config)
    return {name: WRAPPERS[name](config, network, features) for name in config.wrappers}


def place(name: str) -> int:
    """The place of a wrapper among all: what its random numbers are told apart by."""
    return list(WRAPPERS).index(name)
