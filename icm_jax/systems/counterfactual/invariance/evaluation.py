"""What an invariant classifier is judged by: test images whose colours tell nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import streams
from icm_jax.chunks import in_chunks
from icm_jax.report import figures, lines, series
from icm_jax.report.story import Measure, Story, cell
from icm_jax.streams import SeedStream
from icm_jax.system import Evaluation, PyTree
from icm_jax.systems.counterfactual.biased import BiasedData, Split
from icm_jax.systems.counterfactual.invariance.config import METHODS

_CHUNK = 500  # images a call
MEASURES = {"test accuracy": Measure("test accuracy", "%")}


def evaluate(
    config: ConfigDict,
    apply: Callable[..., jax.Array],
    biased: BiasedData,
    state: Any,
    auxiliary: Mapping[str, PyTree],
    complete: bool,
) -> Evaluation:
    """Accuracy on test images, the first of them alone where it is not complete."""
    del auxiliary
    variables = state.learner.parameters._asdict()
    key = streams.of_seed(0, SeedStream.EVALUATION)
    test = biased.test
    count = len(test.labels) if complete else min(config.evaluation.images, len(test.labels))
    right, confusion = _judge(apply, variables, biased, test, count, key)
    summary = {
        "set": config.data.set,
        "method": config.method,
        "accuracy": float(right.mean()),
        "images": count,
        "accuracy_of_classes": np.diag(confusion).tolist(),
        "confusion": confusion.tolist(),
        "accuracy_against": _accuracy_against(test, right),
    }
    return Evaluation({"test_accuracy": summary["accuracy"]}, summary, {})


def _judge(apply, variables, biased, test, count, key) -> tuple[np.ndarray, np.ndarray]:
    """Whether each of the first images is told right, and the share of each answer in a class."""
    shared = jax.tree.map(jnp.asarray, biased.shared)

    def call(index: np.ndarray) -> jax.Array:
        parts = {name: part[index] for name, part in test.parts.items()}
        images = biased.render(parts, shared, jax.random.fold_in(key, index[0]))
        return apply(variables, images).argmax(axis=1)

    answers = in_chunks(call, count, _CHUNK)
    labels = test.labels[:count]
    confusion = np.zeros((biased.classes, biased.classes))
    np.add.at(confusion, (labels, answers), 1)
    confusion /= np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return answers == labels, confusion


def _accuracy_against(test: Split, right: np.ndarray) -> float | None:
    """Accuracy where no colour or texture is that of the class, None where none is known."""
    known = [test.attributes[n] for n in ("foreground", "background") if n in test.attributes]
    others = np.all([of[: len(right)] != test.labels[: len(right)] for of in known], axis=0)
    there = bool(known) and others.any()
    return float(right[others].mean()) if there else None


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary by which runs are compared."""
    return {"test accuracy": summary["accuracy"]}


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The row of a run in a study."""
    del records
    return {**headline(summary), "accuracy against its colour": summary["accuracy_against"]}


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    learned = METHODS[summary["method"]]
    sentence = (
        f"Learned from {learned} ({summary['set']}): {cell(summary['accuracy'], '%')} % of test "
        "images, whose colours and textures tell nothing"
    )
    against = summary["accuracy_against"]
    told = f"Where none of them is that of the class: {cell(against, '%')} %."
    return Story(
        sentence,
        picture="confusion",
        head=("class", "accuracy (%)"),
        rows=[
            [str(label), cell(value, "%")]
            for label, value in enumerate(summary["accuracy_of_classes"])
        ],
        curves=("accuracy", "training"),
        notes=[told] if against is not None else [],
    )


def draw_figures(evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    """The figures of a run, by name."""
    confusion = np.asarray(evaluation.summary["confusion"])
    labels = [str(label) for label in range(len(confusion))]
    return {
        "confusion": figures.matrix(confusion, labels, labels, "Test images", "shows", "is called"),
        "accuracy": lines.curves(
            {"test": series.evaluated(records, "test_accuracy")}, "Accuracy on test images"
        ),
        "training": lines.panels(series.charts(records), "Training"),
    }
