"""Times what knowing costs: ensembles against one network, predictions with risk against without.

  python -m benchmarks.risk
  python -m benchmarks.risk --iterations=50

Prints a table in Markdown: the network of the UCI tables (50 units, 8 features, 100 rows) and the
lab's classifier (32 images of 32x32x3), a step of training and a prediction, each in turns with
what it is compared with.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from benchmarks import machine, tables, timing
from icm_jax.systems.risk import wrappers
from icm_jax.systems.risk.networks.lab import LabClassifier, LabDecoder
from icm_jax.systems.risk.networks.mlp import MLP
from icm_jax.systems.risk.wrappers.wrap import AnyModel

_CHUNK = 3  # calls that are timed together


class _Task(NamedTuple):
    """A model and the shapes of what it learns from."""

    model: AnyModel
    x: jax.Array
    targets: jax.Array


class _Repeated:
    """A contender: a compiled function that is called again on what it returned, or not."""

    def __init__(self, call: Callable, *arguments):
        self._call, self._arguments = call, arguments

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            result = self._call(*self._arguments)
        jax.block_until_ready(result)


def main(argv: list[str] | None = None) -> None:
    """Measures what the flags say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.risk", description=__doc__)
    parser.add_argument("--iterations", type=int, default=30, help="timed, of each; 30")
    parser.add_argument("--seconds", type=float, default=60, help="for each, at most; 60")
    flags = parser.parse_args(argv)
    table, image = _table(), _images()
    mve = wrappers.mve(table.model)
    with_latents = wrappers.vae(image.model, LabDecoder(32, 3))
    rows = [
        ("50 members against 1, a step, 50 units", _step, mve, wrappers.ensemble(mve, 50), table),
        (
            "5 members against 1, a step, the lab's classifier",
            _step,
            image.model,
            wrappers.ensemble(image.model, 5),
            image,
        ),
        ("with a second head against without, a prediction", _predict, table.model, mve, table),
        (
            "20 passes of dropout against 1, a prediction",
            _predict,
            table.model,
            wrappers.dropout(table.model),
            table,
        ),
        (
            "density of 32 latents against without, a prediction, the lab's classifier",
            _predict,
            with_latents,
            wrappers.density(with_latents),
            image,
        ),
    ]
    print(machine.describe(), flush=True)
    lines = []
    for name, make, one, many, task in rows:
        rivals = {"one": make(one, task), "many": make(many, task)}
        found = timing.in_turns(rivals, flags.iterations, flags.seconds, _CHUNK)
        one_ms, many_ms = (
            1000 * timing.summary(found[rival]["times"])["median"] for rival in ("one", "many")
        )
        lines.append([name, f"{one_ms:.2f}", f"{many_ms:.2f}", f"{many_ms / one_ms:.1f}"])
    print(tables.markdown(["", "one (ms)", "other (ms)", "times as long"], lines))


def _table() -> _Task:
    x = jax.random.normal(jax.random.key(0), (100, 8))
    return _Task(wrappers.plain(MLP(1, (50,))), x, x[:, :1])


def _images() -> _Task:
    x = jax.random.uniform(jax.random.key(0), (32, 32, 32, 3))
    model = wrappers.plain(LabClassifier(), "classification")
    return _Task(model, x, jnp.arange(32) % 2)


def _step(model: AnyModel, task: _Task) -> _Repeated:
    """A step of Adam along the mean loss."""
    variables = jax.jit(model.init)(jax.random.key(0), task.x)
    optimizer = optax.adam(1e-3)

    @jax.jit
    def step(variables, opt_state):
        def value(params):
            losses, after = model.loss(
                {**variables, "params": params}, task.x, task.targets, jax.random.key(1)
            )
            return losses.mean(), after

        gradient, after = jax.grad(value, has_aux=True)(variables["params"])
        updates, opt_state = optimizer.update(gradient, opt_state)
        params = optax.apply_updates(variables["params"], updates)
        return {**after, "params": params}, opt_state

    return _Repeated(step, variables, optimizer.init(variables["params"]))


def _predict(model: AnyModel, task: _Task) -> _Repeated:
    variables = jax.jit(model.init)(jax.random.key(0), task.x)
    return _Repeated(jax.jit(model.predict), variables, task.x, jax.random.key(1))


if __name__ == "__main__":
    main()
