"""One training iteration of `icm_jax`: the step of the competition phase, as a run takes it.

It also draws, transforms and restarts, which the loops of `benchmarks.torch_loops` are spared.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax.data import Dataset, Splits
from icm_jax.system import PyTree
from icm_jax.systems.icm.build import build_competition
from icm_jax.training.devices import Devices

NOISE = 0.01


class Carry(NamedTuple):
    """What goes from iteration to iteration.

    Attributes:
      state: of the system, with a leading axis `[R]` where there are R replicas.
      step: int32 `[]`, folded into the seed for a step's randomness.
      winners: float32 `[]`, experts that won something in the last step, a mean over replicas.
    """

    state: PyTree
    step: jax.Array
    winners: jax.Array


class Loop:
    """Takes steps of the competition; `replicas` runs at once where that is not 0.

    On an accelerator all iterations of a call are one program. On a CPU each is one, as the
    body of a loop may run slower there than the same program by itself.
    """

    def __init__(self, config: ConfigDict, shape: tuple[int, int, int], replicas: int = 0):
        system = build_competition(config, _random_splits(config, shape), [config.seed])[0]
        step, self._data = system.phases[1].step, jax.device_put(system.given)
        key = jax.random.key(config.seed)

        def init(key):
            return _alike(system.init(key), key)

        def seeded(state, data, key, count):
            state, metrics = step(state, data, jax.random.fold_in(key, count))
            return state, (metrics["wins"].total > 0).sum()

        if replicas:
            key = jax.random.split(key, replicas)
            init, seeded = jax.vmap(init), jax.vmap(seeded, (0, None, 0, None))

        def advance(carry, data):
            state, winners = seeded(carry.state, data, key, carry.step)
            return Carry(state, carry.step + 1, winners.astype(jnp.float32).mean())

        def many(carry, data, iterations):
            return jax.lax.fori_loop(0, iterations, lambda _, c: advance(c, data), carry)

        self._carry = Carry(jax.jit(init)(key), jnp.int32(0), jnp.float32(0))
        self._one_program = jax.default_backend() != "cpu"
        # As a run compiles it.
        jit = Devices().jit
        self._advance = jit(many if self._one_program else advance, donate_argnums=0)

    def run(self, iterations: int) -> None:
        """Takes so many steps and waits for the last."""
        if self._one_program:
            self._carry = self._advance(self._carry, self._data, iterations)
        else:
            for _ in range(iterations):
                self._carry = self._advance(self._carry, self._data)
        jax.block_until_ready(self._carry)

    def distinct_winners(self) -> float:
        """Experts that won something in the last step."""
        return float(self._carry.winners)


def _alike(state: PyTree, key: jax.Array) -> PyTree:
    """Makes all experts copies of the first with some noise, so that several win something."""
    leaves, structure = jax.tree.flatten(state.experts.params)
    keys = jax.random.split(key, len(leaves))
    leaves = [
        leaf[:1] + NOISE * jax.random.normal(k, leaf.shape, leaf.dtype)
        for k, leaf in zip(keys, leaves, strict=True)
    ]
    params = jax.tree.unflatten(structure, leaves)
    return state._replace(experts=state.experts._replace(params=params))


def _random_splits(config: ConfigDict, shape: tuple[int, int, int]) -> Splits:
    rng = np.random.default_rng(config.seed)

    def dataset(count):
        images = rng.integers(0, 256, (count, *shape), np.uint8)
        return Dataset(images, np.arange(count, dtype=np.int32) % 10)

    return Splits(dataset(512 + 2 * config.batch_size), dataset(64))
