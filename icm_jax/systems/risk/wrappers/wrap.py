"""The wrappers: each takes a network or a model and gives a model that knows more.

They compose in any order: what looks at one network (`mve`, `vae`, `histogram`, `density`,
`dropout`) goes to each member of an ensemble, whichever is written outside. Only `histogram` and
`density` look at what `vae` makes if they are outside of it, and of the two the outer one answers.
"""

from collections.abc import Callable

import flax.linen as nn

from icm_jax.systems.risk.wrappers import heads, likelihoods
from icm_jax.systems.risk.wrappers.model import Ensemble, Model
from icm_jax.systems.risk.wrappers.network import Dropout
from icm_jax.systems.risk.wrappers.result import CLASSES, NUMBERS

AnyModel = Model | Ensemble


def plain(network: nn.Module | AnyModel, task: str = NUMBERS) -> AnyModel:
    """A network as a model: predictions, of classes with their entropy, and nothing else.

    Args:
      network: maps `[B, ...]` to `[B, D]` numbers or `[B, L]` logits (one logit alone is that of
        class 1) and ends in an `nn.Dense`. Where it takes `train` it is given. A model is returned
        as it is.
      task: 'regression' or 'classification'.

    Raises:
      ValueError: of another task.
    """
    if not isinstance(network, nn.Module):
        return network
    if task not in (NUMBERS, CLASSES):
        raise ValueError(f"task: {task!r} is not allowed; it must be one of {NUMBERS}, {CLASSES}")
    return Model(network, likelihoods.squared() if task == NUMBERS else likelihoods.categorical())


def mve(
    network: nn.Module | AnyModel, beta: float = 0.5, samples: int = 10, task: str = NUMBERS
) -> AnyModel:
    """Adds aleatoric risk: a second head says how noisy the target is.

    Args:
      network: a network, or a model.
      beta: of regression: what errors are weighed by, see `likelihoods.gaussian`. 0 is the plain
        negative log likelihood.
      samples: of classification: draws of the noise of logits, see `likelihoods.noisy_logits`.
      task: of a bare network; a model has its own.

    Raises:
      ValueError: `beta` is negative, or there are no samples.
    """
    _check("beta", beta, "from 0 on", beta >= 0)
    _check("samples", samples, "at least 1", samples >= 1)

    def change(model: Model) -> Model:
        classes = model.likelihood.task == CLASSES
        likelihood = likelihoods.noisy_logits(samples) if classes else likelihoods.gaussian(beta)
        return model._replace(likelihood=likelihood)

    return _of_each(plain(network, task), change)


def dropout(
    network: nn.Module | AnyModel, rate: float = 0.1, passes: int = 20, inputs: bool = False
) -> AnyModel:
    """Adds epistemic risk: what passes with different units dropped disagree about.

    Args:
      network: a network, or a model.
      rate: share that is dropped, from 0 to below 1; 0 changes nothing.
      passes: of a prediction.
      inputs: whether the network's inputs are dropped too.

    Raises:
      ValueError: rate or passes are outside.
    """
    _check("rate", rate, "from 0 to below 1", 0 <= rate < 1)
    _check("passes", passes, "at least 1", passes >= 1)
    return _of_each(plain(network), lambda m: m._replace(dropout=Dropout(rate, passes, inputs)))


def ensemble(network: nn.Module | AnyModel, members: int = 5) -> Ensemble:
    """Adds epistemic risk: what networks with other beginnings disagree about.

    Args:
      network: a network, or a model.
      members: how many; one alone is its member, bit for bit.

    Raises:
      ValueError: there are no members.
    """
    _check("members", members, "at least 1", members >= 1)
    return Ensemble(plain(network), members)


def vae(
    network: nn.Module | AnyModel,
    decoder: nn.Module,
    latent: int = 32,
    weight: float = 1.0,
    beta: float = 1.0,
    capsa: bool = False,
) -> AnyModel:
    """Adds novelty: how badly an input is reconstructed from latents of the network's features.

    Arguments but the first are as in `heads.autoencoder`.

    Raises:
      ValueError: there are no latents.
    """
    _check("latent", latent, "at least 1", latent >= 1)
    return _with_head(network, heads.autoencoder(decoder, latent, weight, beta, capsa))


def histogram(
    network: nn.Module | AnyModel, bins: int = 5, size: int = 2000, smoothing: float = 1e-3
) -> AnyModel:
    """Adds density by histograms of the latents that were observed, as Capsa's bias score.

    Latents are those of `vae` where that is inside (Capsa's histogram-VAE), else what enters the
    last layer.

    Args:
      network: a network, or a model.
      bins: of each latent.
      size: latents that the bank holds.
      smoothing: see `bank.log_histogram`.

    Raises:
      ValueError: fewer than 2 bins, no room in the bank, or smoothing is not positive.
    """
    _check("bins", bins, "at least 2", bins >= 2)
    _check("size", size, "at least 1", size >= 1)
    _check("smoothing", smoothing, "above 0", smoothing > 0)
    return _with_head(network, heads.histogram(bins, size, smoothing))


def density(network: nn.Module | AnyModel, neighbours: int = 10, size: int = 2000) -> AnyModel:
    """Adds density by the distance to the nearest latents that were observed.

    It ranks what is common and what is rare where histograms of single latents do not. Latents
    are as in `histogram`.

    Args:
      network: a network, or a model.
      neighbours: how many make up the distance.
      size: latents that the bank holds.

    Raises:
      ValueError: there are no neighbours, or more than the bank holds.
    """
    _check("neighbours", neighbours, f"from 1 to size, {size}", 1 <= neighbours <= size)
    return _with_head(network, heads.nearest(neighbours, size))


def _with_head(network: nn.Module | AnyModel, head: heads.Head) -> AnyModel:
    def change(model: Model) -> Model:
        others = tuple(other for other in model.heads if other.name != head.name)
        return model._replace(heads=(*others, head))

    return _of_each(plain(network), change)


def _of_each(model: AnyModel, change: Callable[[Model], Model]) -> AnyModel:
    """A change of each network of a model, however deep it lies in ensembles."""
    if isinstance(model, Ensemble):
        return model._replace(inner=_of_each(model.inner, change))
    return change(model)


def _check(name: str, value: float, words: str, holds: bool) -> None:
    if not holds:
        raise ValueError(f"{name}: {value!r} is not allowed; it must be {words}")
