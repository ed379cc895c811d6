"""What trained models say of rows: their risks, and the latents that they know."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.systems.risk.regression.data import Rows
from icm_jax.systems.risk.regression.steps import Learner, Models, State
from icm_jax.systems.risk.wrappers import Risk, combine
from icm_jax.systems.risk.wrappers.bank import Bank, forget
from icm_jax.systems.risk.wrappers.controller import Controller
from icm_jax.systems.risk.wrappers.network import Variables
from icm_jax.systems.risk.wrappers.wrap import AnyModel

# Training rows that a constant variance is taken of, at most.
FITTED = 5000


class Asked(NamedTuple):
    """Rows to answer for, in every split.

    Attributes:
      features: float32 `[S, m, D]`.
      scale: float32 `[S, 1]`; answers are in the unit of `target * scale + shift`.
      shift: float32 `[S, 1]`.
    """

    features: np.ndarray
    scale: np.ndarray
    shift: np.ndarray


class Answer(NamedTuple):
    """What a model says.

    Attributes:
      parts: risks of each member or pass, leaves `[S, M, m, ...]`.
      whole: of them together, leaves `[S, m, ...]`.
    """

    parts: Risk
    whole: Risk

    def of_split(self, split: int, count: int) -> "Answer":
        """Here, in float64: of the first `count` rows of a split, without the axis S."""

        def here(risk: Risk, *first: slice) -> Risk:
            take = (split, *first, slice(count))
            return jax.tree.map(lambda field: np.asarray(field[take], np.float64), risk)

        return Answer(here(self.parts, slice(None)), here(self.whole))


# Name of a row of the results -> answer
Answers = Mapping[str, Answer]


def rows_of(models: Models) -> tuple[str, ...]:
    """The rows of the results: a wrapper each, a controller one for each of its metrics."""
    return tuple(
        row
        for name, model in models.items()
        for row in (
            [f"{name} {metric}" for metric in model.metrics]
            if isinstance(model, Controller)
            else [name]
        )
    )


def make_answer(models: Models) -> Callable[[Mapping[str, Learner], Rows, Asked], Answers]:
    """`(learners by wrapper, rows of training, rows asked for) -> Answers`, compiled.

    A model that has no aleatoric risk is given a constant one: the mean squared error of its
    predictions of the training rows, the variance of Gaussian noise that makes them likeliest. Gal
    and Ghahramani (2016) search that number, 1/tau, over a grid. Draws of dropout are the same
    ones always.
    """

    def of_split(given):
        variables, train, asked = given
        found = {}
        for name, model in models.items():
            for metric, risk in _components(model, variables[name], asked.features).items():
                if risk.aleatoric is None:
                    known = _components(model, variables[name], train.features)[metric]
                    error = _mean_squared_error(combine(known).prediction, train)
                    risk = risk.replace(aleatoric=jnp.full_like(risk.prediction, error))
                risk = risk.affine(asked.scale, asked.shift)
                found[f"{name} {metric}".strip()] = Answer(risk, combine(risk))
        return found

    @jax.jit
    def of_all(variables, train, asked):
        # Split by split, so that passes and members of all need not be there at once.
        return jax.lax.map(of_split, (variables, _evenly(train, FITTED), asked))

    def answer(learners, train, asked):
        variables = {name: learners[name].variables for name in models}
        found = jax.device_get(of_all(variables, train, asked))
        return {row: found[row] for row in rows_of(models)}  # jit sorts them

    return answer


def make_observe(models: Models) -> Callable[[State, Mapping[str, Rows]], State]:
    """`(state, data) -> state` whose banks know the present latents of training rows, compiled."""

    def of_split(model, variables, features, counts):
        return model.observe(forget(variables), features, counts)

    @jax.jit
    def observe(state: State, data: Mapping[str, Rows]) -> State:
        learners = dict(state.learners)
        for name, (variables, opt_state) in learners.items():
            if not (size := _bank_size(variables)):
                continue
            some = _evenly(data["train"], size)
            counts = jnp.arange(some.features.shape[1])[None] < some.count[:, None]
            fill = jax.vmap(functools.partial(of_split, models[name]))
            learners[name] = Learner(fill(variables, some.features, counts), opt_state)
        return state._replace(learners=learners)

    return observe


def _bank_size(variables: Variables) -> int:
    """Rows that the largest bank of a model holds; 0 without any."""
    leaves = jax.tree.leaves(variables["risk"], is_leaf=lambda node: isinstance(node, Bank))
    return max((leaf.latents.shape[-2] for leaf in leaves if isinstance(leaf, Bank)), default=0)


def _components(
    model: AnyModel | Controller, variables: Variables, features: jax.Array
) -> dict[str, Risk]:
    """Risks of each member or pass, by a controller's metric; '' of others."""
    risks = model.components(variables, features, jax.random.key(0))
    return risks if isinstance(model, Controller) else {"": risks}


def _mean_squared_error(prediction: jax.Array, rows: Rows) -> jax.Array:
    """Of the rows `[n, 1]` of one split that are no filling."""
    counts = jnp.arange(len(rows.targets))[:, None] < rows.count
    return jnp.where(counts, jnp.square(prediction - rows.targets), 0).sum() / rows.count


def _evenly(rows: Rows, most: int) -> Rows:
    """At most so many rows of each split, evenly from all of them."""
    length = min(rows.features.shape[1], most)
    count = jnp.minimum(rows.count, length)
    # In float32, since rows times places need not fit into int32.
    place = jnp.arange(length, dtype=jnp.float32)[None] * (rows.count / count)[:, None]
    index = jnp.minimum(jnp.floor(place).astype(jnp.int32), rows.count[:, None] - 1)
    features, targets = (
        jnp.take_along_axis(table, index[..., None], axis=1)
        for table in (rows.features, rows.targets)
    )
    return Rows(features, targets, count)
