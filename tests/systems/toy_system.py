"""A whole system, as small as one can be: it learns the mean of numbers that it is told."""

import jax
import jax.numpy as jnp
import numpy as np

from icm_jax.report import lines, series
from icm_jax.report.story import Story
from icm_jax.schema import Field, Schema, at_least, one_of, positive, with_shared
from icm_jax.system import Evaluation, Mean, Phase, System
from icm_jax.systems.kind import Curve, Examination, Kind, Use
from icm_jax.training.workdir import read_json

FIELDS = {
    "steps": Field(20, at_least(0), "steps of averaging"),
    "rate": Field(0.2, positive(), "share of a step that the numbers drawn have"),
    "evaluation": {"every": Field(10, at_least(1), "steps between evaluations")},
}


def build(config, numbers, seeds, axis_name):
    def step(state, data, key):
        drawn = jax.random.choice(key, data["numbers"], (4,))
        mean = state["mean"] + config.rate * (drawn.mean() - state["mean"])
        return {"mean": mean}, {"drawn": Mean(drawn.sum(), jnp.float32(4))}

    def evaluate(state, auxiliary, complete):
        error = abs(float(state["mean"]) - float(numbers.mean()))
        return Evaluation({"error": error}, {"mean": state["mean"], "error": error}, {})

    def draw(evaluation, records):
        return {"error": lines.curves({"error": series.evaluated(records, "error")})}

    phases, first = (Phase("averaging", config.steps, step),), {"mean": jnp.float32(0)}
    told = [{"numbers": np.random.RandomState(seed).choice(numbers, 40)} for seed in seeds]
    return tuple(System("toy", lambda key: first, phases, x, evaluate, draw) for x in told)


DISTANCE = Examination(
    settings=Schema(
        {
            "kind": Field("distance", one_of(("distance",)), "the examination"),
            "point": Field(0.0, at_least(0), "what the mean is compared with"),
        }
    ),
    examine=lambda workdir, settings: {
        "distance": abs(read_json(workdir / "summary.json")["mean"] - settings.point)
    },
    numbers=lambda found: {"distance": found["distance"]},
)


def export(workdir, source, output):
    mean = read_json(workdir / "summary.json")["mean"]
    output.write_text(f"{mean} {source}")
    return f"wrote {output.name}"


TOY = Kind(
    schema=Schema(with_shared("toy", FIELDS)),
    load=lambda config: np.linspace(2, 4, 50, dtype=np.float32),
    build=build,
    story=lambda summary: Story(f"{summary['error']:.3f} from the mean", picture="error"),
    numbers=lambda summary, records: {"error": summary["error"]},
    curve=Curve("error", "error", "Distance from the mean along training"),
    examinations={"distance": DISTANCE},
    uses={"export": Use(export)},
)
