"""Several wrappers on one network, each with an answer of its own (Capsa's controller)."""

from collections.abc import Mapping
from typing import NamedTuple

import jax

from icm_jax.systems.risk.wrappers.model import NETWORK, Model
from icm_jax.systems.risk.wrappers.network import Variables
from icm_jax.systems.risk.wrappers.result import Risk


class Controller(NamedTuple):
    """Models of the same network, which learns from the mean of their losses.

    Wrappers that compose give one answer; here each metric gives its own, so that two of a kind,
    two densities say, can be compared. Heads and banks of a metric stand under its name.

    Attributes:
      metrics: name -> model, none of them an ensemble, all of one network.
    """

    metrics: Mapping[str, Model]

    @property
    def draws(self) -> bool:
        """As `Model.draws`, of any metric."""
        return any(model.draws for model in self.metrics.values())

    def init(self, key: jax.Array, x: jax.Array) -> Variables:
        """As `Model.init`."""
        return self._merge({name: model.init(key, x) for name, model in self.metrics.items()})

    def wrap(self, variables: Variables, key: jax.Array, x: jax.Array) -> Variables:
        """As `Model.wrap`."""
        each = {name: model.wrap(variables, key, x) for name, model in self.metrics.items()}
        return self._merge(each)

    def loss(
        self, variables: Variables, x: jax.Array, targets: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, Variables]:
        """As `Model.loss`, the mean over metrics."""
        losses, each = {}, {}
        for name, model in self.metrics.items():
            losses[name], each[name] = model.loss(self._part(variables, name), x, targets, key)
        return sum(losses.values()) / len(losses), self._merge(each)

    def observe(
        self, variables: Variables, x: jax.Array, counts: jax.Array | None = None
    ) -> Variables:
        """As `Model.observe`, of all metrics."""
        each = {
            name: model.observe(self._part(variables, name), x, counts)
            for name, model in self.metrics.items()
        }
        return self._merge(each)

    def predict(
        self, variables: Variables, x: jax.Array, key: jax.Array | None = None
    ) -> dict[str, Risk]:
        """As `Model.predict`, by the name of each metric."""
        return {
            name: model.predict(self._part(variables, name), x, key)
            for name, model in self.metrics.items()
        }

    def components(
        self, variables: Variables, x: jax.Array, key: jax.Array | None = None
    ) -> dict[str, Risk]:
        """As `Model.components`, by the name of each metric."""
        return {
            name: model.components(self._part(variables, name), x, key)
            for name, model in self.metrics.items()
        }

    def _part(self, variables: Variables, name: str) -> Variables:
        """The variables of one metric's model."""
        params = {NETWORK: variables["params"][NETWORK], **variables["params"][name]}
        return {**variables, "params": params, "risk": variables["risk"][name]}

    def _merge(self, each: Mapping[str, Variables]) -> Variables:
        """The variables of all; the network's are those of the first metric."""
        first = next(iter(each.values()))
        params = {NETWORK: first["params"][NETWORK]}
        for name, variables in each.items():
            params[name] = {k: v for k, v in variables["params"].items() if k != NETWORK}
        banks = {name: variables["risk"] for name, variables in each.items()}
        return {"params": params, "batch_stats": first["batch_stats"], "risk": banks}


def controller(metrics: Mapping[str, Model]) -> Controller:
    """Several models of one network, trained as one.

    Args:
      metrics: name -> model; none is named 'network'.

    Raises:
      ValueError: there is none, or they are of different networks, or one is an ensemble.
    """
    models = list(metrics.values())
    alone = all(isinstance(model, Model) for model in models) and NETWORK not in metrics
    if not models or not alone or any(model.network != models[0].network for model in models):
        raise ValueError(
            f"metrics: {', '.join(metrics) or 'none'} are not allowed; they must be models of one "
            f"network, none of them an ensemble, nor named {NETWORK!r}"
        )
    return Controller(dict(metrics))
