"""A model that says what it does not know: a Flax network with what wrappers put around it.

A model is data (which network, which likelihood, which heads, how many members), its methods are
pure functions of variables. Wrappers (`icm_jax.systems.risk.wrappers.wrap`) make models of models.
Variables are a dict of collections: `params`, which gradients change; `batch_stats`; and `risk`,
banks of latents, which `observe` fills.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Union

import flax.linen as nn
import jax
import jax.numpy as jnp

from icm_jax.systems.risk.wrappers.heads import Head
from icm_jax.systems.risk.wrappers.likelihoods import Likelihood
from icm_jax.systems.risk.wrappers.network import (
    Dropout,
    Seen,
    Variables,
    look,
    train_argument,
)
from icm_jax.systems.risk.wrappers.result import Risk, combine

PyTree = Any
NETWORK, LIKELIHOOD = "network", "likelihood"


class Model(NamedTuple):
    """One network, with what is beside its output.

    Attributes:
      network: see `network.look`.
      likelihood: how its output is read.
      heads: beside it, in the order in which they look at latents.
      dropout: of the network's layers, or None.
    """

    network: nn.Module
    likelihood: Likelihood
    heads: tuple[Head, ...] = ()
    dropout: Dropout | None = None

    @property
    def draws(self) -> bool:
        """Whether predictions draw what dropout drops, and so need a key."""
        return self.dropout is not None and self.dropout.rate > 0

    def init(self, key: jax.Array, x: jax.Array) -> Variables:
        """Variables of a network that has learned nothing.

        Args:
          key: typed key `[]`.
          x: an example `[B, ...]` of inputs.
        """
        network_key, heads_key = jax.random.split(key)
        variables = self.network.init(network_key, x, **train_argument(self.network, False))
        return self.wrap(variables, heads_key, x)

    def wrap(self, variables: Variables, key: jax.Array, x: jax.Array) -> Variables:
        """Variables with a trained network's as they are; only what is beside it is new.

        Args:
          variables: of the network.
          key: typed key `[]`, for the heads.
          x: an example `[B, ...]` of inputs.
        """
        seen = look(self.network, variables, x)
        params = {NETWORK: variables["params"]}
        if head := self.likelihood.init(jax.random.fold_in(key, 0), seen):
            params[LIKELIHOOD] = head
        banks, latents = {}, seen.features
        for number, head in enumerate(self.heads):
            own, bank = head.init(jax.random.fold_in(key, number + 1), x, latents)
            if own:
                params[head.name] = own
            if bank is not None:
                banks[head.name] = bank
            latents = head.latents(own, latents) if head.latents else latents
        batch_stats = variables.get("batch_stats", {})
        return {"params": params, "batch_stats": batch_stats, "risk": banks}

    def loss(
        self, variables: Variables, x: jax.Array, targets: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, Variables]:
        """What a batch costs in training.

        Args:
          variables: of the model.
          x: `[B, ...]`.
          targets: float32 `[B, D]`, or int32 `[B]` of classes.
          key: typed key `[]`, for whatever is drawn.

        Returns:
          Losses, float32 `[B]`, and the variables with batch statistics after the batch.
        """
        of_output, of_heads, variables = self.losses(variables, x, targets, key)
        return of_output + of_heads, variables

    def losses(
        self, variables: Variables, x: jax.Array, targets: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, jax.Array, Variables]:
        """As `loss`, with what the output costs apart from what is beside it, `[B]` each."""
        seen_key, likelihood_key, heads_key = jax.random.split(key, 3)
        seen = self._look(variables, x, train=True, key=seen_key)
        params = variables["params"]
        of_output = self.likelihood.loss(params.get(LIKELIHOOD, {}), seen, targets, likelihood_key)
        of_heads = jnp.zeros_like(of_output)
        for number, (head, own, latents) in enumerate(self._at_heads(params, seen.features)):
            if head.loss:
                more = head.loss(own, x, latents, jax.random.fold_in(heads_key, number))
                of_heads += more if head.of is None else jnp.where(targets == head.of, more, 0)
        return of_output, of_heads, {**variables, "batch_stats": seen.batch_stats}

    def observe(
        self, variables: Variables, x: jax.Array, counts: jax.Array | None = None
    ) -> Variables:
        """The variables with the latents of inputs `[B, ...]` in the banks.

        Args:
          variables: of the model.
          x: `[B, ...]`.
          counts: bool `[B]`, which inputs are taken; None: all.
        """
        features = look(self.network, self._of_network(variables), x).features
        banks = dict(variables["risk"])
        for head, _, latents in self._at_heads(variables["params"], features):
            if head.observe:
                banks[head.name] = head.observe(banks[head.name], latents, counts)
        return {**variables, "risk": banks}

    def predict(self, variables: Variables, x: jax.Array, key: jax.Array | None = None) -> Risk:
        """Predictions of inputs `[B, ...]`, and what is not known of them.

        Args:
          variables: of the model.
          x: `[B, ...]`.
          key: typed key `[]`, for models with dropout; others do without.

        Raises:
          ValueError: dropout has no key.
        """
        return combine(self.components(variables, x, key))

    def components(self, variables: Variables, x: jax.Array, key: jax.Array | None = None) -> Risk:
        """The risks of each pass, leaves `[passes, B, ...]`; arguments are as in `predict`."""
        if not self.draws:
            one = self._describe(variables, x, None)
            return jax.tree.map(lambda field: field[None], one)
        if key is None:
            raise ValueError("key: None is not allowed; dropout draws what it drops")
        keys = jax.random.split(key, self.dropout.passes)
        return jax.vmap(lambda key: self._describe(variables, x, key))(keys)

    def _describe(self, variables: Variables, x: jax.Array, key: jax.Array | None) -> Risk:
        params = variables["params"]
        seen = self._look(variables, x, train=False, key=key)
        # Banks and reconstructions are of latents without dropout, see `observe`.
        alike = key is None or not self.heads
        whole = seen if alike else self._look(variables, x, train=False, key=None)
        fields = {}
        for head, own, latents in self._at_heads(params, whole.features):
            fields |= head.describe(own, variables["risk"].get(head.name), x, latents)
        return self.likelihood.describe(params.get(LIKELIHOOD, {}), seen).replace(**fields)

    def _at_heads(
        self, params: PyTree, latents: jax.Array
    ) -> Iterator[tuple[Head, PyTree, jax.Array]]:
        """Each head with its parameters and the latents that it looks at, features at first."""
        for head in self.heads:
            own = params.get(head.name, {})
            yield head, own, latents
            latents = head.latents(own, latents) if head.latents else latents

    def _look(self, variables: Variables, x: jax.Array, train: bool, key: jax.Array | None) -> Seen:
        dropout = self.dropout if self.draws else None
        network = self._of_network(variables)
        return look(self.network, network, x, train=train, key=key, dropout=dropout)

    def _of_network(self, variables: Variables) -> Variables:
        batch_stats = variables["batch_stats"]
        params = {"params": variables["params"][NETWORK]}
        return params | ({"batch_stats": batch_stats} if batch_stats else {})


class Ensemble(NamedTuple):
    """Several models of one kind (Lakshminarayanan et al. 2017), under one `vmap`.

    Its variables are those of the members, stacked: leaves `[E, ...]`.

    Attributes:
      inner: the model of each member.
      members: E.
    """

    inner: Union[Model, "Ensemble"]
    members: int

    @property
    def draws(self) -> bool:
        """As `Model.draws`."""
        return self.inner.draws

    def init(self, key: jax.Array, x: jax.Array) -> Variables:
        """As `Model.init`, with a key of its own for each member."""
        return self._map(lambda key: self.inner.init(key, x), self._keys(key))

    def wrap(self, variables: Variables, key: jax.Array, x: jax.Array) -> Variables:
        """As `Model.wrap`; `variables` are those of E networks, leaves `[E, ...]`.

        Raises:
          ValueError: they are of another number of networks.
        """
        if any(leaf.shape[:1] != (self.members,) for leaf in jax.tree.leaves(variables)):
            raise ValueError(
                f"variables: these shapes are not allowed; they must be those of {self.members} "
                "networks, stacked on a first axis"
            )
        return self._map(lambda v, key: self.inner.wrap(v, key, x), variables, self._keys(key))

    def loss(
        self, variables: Variables, x: jax.Array, targets: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, Variables]:
        """As `Model.loss`; losses are the sum of the members', each of which learns as if alone."""
        of_output, of_heads, variables = self.losses(variables, x, targets, key)
        return of_output + of_heads, variables

    def losses(
        self, variables: Variables, x: jax.Array, targets: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, jax.Array, Variables]:
        """As `Model.losses`, sums of the members'."""
        of_output, of_heads, variables = self._map(
            lambda v, key: self.inner.losses(v, x, targets, key), variables, self._keys(key)
        )
        return of_output.sum(axis=0), of_heads.sum(axis=0), variables

    def observe(
        self, variables: Variables, x: jax.Array, counts: jax.Array | None = None
    ) -> Variables:
        """As `Model.observe`; each member has banks of its own."""
        return self._map(lambda v: self.inner.observe(v, x, counts), variables)

    def predict(self, variables: Variables, x: jax.Array, key: jax.Array | None = None) -> Risk:
        """As `Model.predict`, of all members; see `result.combine`."""
        return combine(self.components(variables, x, key))

    def components(self, variables: Variables, x: jax.Array, key: jax.Array | None = None) -> Risk:
        """The risks of each member, leaves `[E, B, ...]`; arguments are as in `predict`."""
        if key is None:
            return self._map(lambda v: self.inner.predict(v, x), variables)
        keys = self._keys(key)
        return self._map(lambda v, key: self.inner.predict(v, x, key), variables, keys)

    def _map(self, call: Callable[..., PyTree], *stacked: PyTree) -> PyTree:
        """`call` of each member."""
        if self.members > 1:
            return jax.vmap(call)(*stacked)
        # Not by `vmap`, whose batch of one rounds otherwise.
        one = call(*jax.tree.map(lambda leaf: leaf[0], stacked))
        return jax.tree.map(lambda leaf: leaf[None], one)

    def _keys(self, key: jax.Array) -> jax.Array:
        # The only member is given the key itself: an ensemble of one is its member.
        return key[None] if self.members == 1 else jax.random.split(key, self.members)
