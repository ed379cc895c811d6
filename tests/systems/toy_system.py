"""A whole system, as small as one can be: it learns the mean of numbers, of which it is told some.

What a system of one's own needs, with no images and no networks.
"""

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import schema
from icm_jax.config import from_workdir
from icm_jax.report import lines, series
from icm_jax.report.story import Story
from icm_jax.system import Evaluation, Mean, Phase, System
from icm_jax.systems.kind import Curve, Examination, Kind
from icm_jax.training.workdir import read_json


def defaults():
    return schema.with_shared("toy", {"steps": 20, "rate": 0.2, "evaluation": {"every": 10}})


def load(config):
    return np.linspace(2, 4, 50, dtype=np.float32)


def first_state(key):
    return {"mean": jnp.float32(0)}


def build(config, numbers, seeds, axis_name):
    def step(state, data, key):
        drawn = jax.random.choice(key, data["numbers"], (4,))
        mean = state["mean"] + config.rate * (drawn.mean() - state["mean"])
        return {"mean": mean}, {"squared": Mean(jnp.square(drawn - mean).sum(), jnp.float32(4))}

    def evaluate(state, auxiliary, complete):
        error = abs(float(state["mean"]) - float(numbers.mean()))
        return Evaluation({"error": error}, {"mean": state["mean"], "error": error}, {})

    def draw(evaluation, records):
        return {"error": lines.curves({"error": series.evaluated(records, "error")})}

    def of_seed(seed):
        told = np.random.RandomState(seed).choice(numbers, 40, replace=False)
        phases = (Phase("averaging", config.steps, step),)
        return System("toy", first_state, phases, {"numbers": told}, evaluate, draw)

    return tuple(of_seed(seed) for seed in seeds)


def examine(workdir, settings):
    mean = read_json(workdir / "summary.json")["mean"]
    return {"rate": from_workdir(workdir).rate, "distance": abs(mean - settings.point)}


RULES = (("steps", schema.at_least(0)), ("rate", schema.positive()))
DISTANCE = Examination(
    check=lambda settings: schema.check_settings(settings, {"point": schema.at_least(0)}),
    examine=examine,
    numbers=lambda found: {"distance": found["distance"]},
)
TOY = Kind(
    schema=schema.Schema(defaults, RULES, lambda config: None),
    load=load,
    build=build,
    story=lambda summary: Story(f"{summary['error']:.3f} from the mean", picture="error"),
    numbers=lambda summary, records: {"error": summary["error"]},
    curve=Curve("error", "error", "Distance from the mean along training"),
    examinations={"distance": DISTANCE},
)
