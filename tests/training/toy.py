"""A linear regression in two phases: a system small enough to run in seconds.

As a program it trains in a folder and prints the number of devices and the weights.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from icm_jax.system import Evaluation, Mean, Phase, System
from icm_jax.training import Seeded, loop
from icm_jax.training.devices import AXIS

BATCH = 8
TRUTH = np.array([1.0, -2.0, 0.5], np.float32)


def data():
    inputs = np.random.RandomState(0).randint(0, 256, (64, 3)).astype(np.uint8)
    return {"inputs": inputs, "targets": inputs.astype(np.float32) / 255 @ TRUTH}


def init(key):
    return {"w": jax.random.normal(key, (3,)), "count": jnp.int32(0), "key": key}


def step(state, data, key, rate, sabotage=None):
    devices = jax.lax.axis_size(AXIS)
    rows = jax.random.randint(key, (BATCH,), 0, 64).reshape(devices, -1)
    rows = rows[jax.lax.axis_index(AXIS)]
    inputs = data["inputs"][rows].astype(jnp.float32) / 255

    def loss(w):
        errors = (inputs @ w - data["targets"][rows]) ** 2
        return errors.sum() / BATCH, errors

    gradient, errors = jax.grad(loss, has_aux=True)(state["w"])
    gradient, total = jax.lax.psum((gradient, errors.sum()), AXIS)
    count = state["count"] + 1
    if sabotage is not None:
        total = jnp.where(count >= sabotage, jnp.nan, total)
    metrics = {
        "loss": Mean(total, jnp.float32(BATCH)),
        # One entry an expert: the second is never counted.
        "won": Mean(jnp.stack([total, 0.0]), jnp.array([1.0, 0.0])),
        "count": Mean(count.astype(jnp.float32), jnp.float32(1)),
    }
    return {"w": state["w"] - rate * gradient, "count": count, "key": state["key"]}, metrics


def evaluate(state, auxiliary, complete):
    distance = float(np.abs(np.asarray(state["w"]) - TRUTH).max())
    summary = {"distance": distance, "complete": complete, "judges": sorted(auxiliary)}
    return Evaluation({"distance": distance}, summary, {"w": np.asarray(state["w"])})


def figures(evaluation, records):
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([r["loss"] for r in records if "loss" in r])
    return {"loss": figure}


def system(sabotage=None, stop_below=None, evaluate=evaluate, auxiliary=None, steps=(13, 30)):
    return System(
        name="toy",
        init=init,
        phases=(
            Phase("warmup", steps[0], lambda *args: step(*args, 0.01), stop_below),
            Phase("fit", steps[1], lambda *args: step(*args, 0.3, sabotage)),
        ),
        data=data(),
        evaluate=evaluate,
        figures=figures,
        auxiliary=auxiliary or {},
    )


CONFIG = {"seed": 3, "optimizer": {"rate": 0.3}}
SETTINGS = dict(config=CONFIG, log_every=5, evaluate_every=10, checkpoint_every=7, keep=3)


def seeded(system_=None, seed=3, config=CONFIG):
    return Seeded(system_ or system(), seed, config)


def several(base=None, seeds=(3, 4, 5)):
    """Seeds of one system, each with other targets and the same inputs."""

    def data(index):
        return base.data | {"targets": base.data["targets"] * (1 + 0.1 * index)}

    base = base or system()
    configs = [CONFIG | {"seed": seed} for seed in seeds]
    systems = [base._replace(data=data(index)) for index in range(len(seeds))]
    return [Seeded(*each) for each in zip(systems, seeds, configs, strict=True)]


def train_several(workdir, runs, **settings):
    return loop.train(runs, workdir, **SETTINGS | settings)


def train(workdir, system_=None, **settings):
    settings = SETTINGS | settings
    return loop.train([seeded(system_, config=settings["config"])], workdir, **settings)


def evaluate_again(workdir, system_=None, config=CONFIG):
    return loop.evaluate([seeded(system_, config=config)], workdir, config=config, keep=3)


if __name__ == "__main__":
    result = train(sys.argv[1])
    print(jax.device_count(), np.asarray(result.state["w"]).tobytes().hex())
