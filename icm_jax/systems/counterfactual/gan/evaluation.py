"""What a conditional GAN is judged by: whether its images of a class differ as originals do."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from icm_jax import streams
from icm_jax.chunks import in_chunks
from icm_jax.report import figures, lines, series
from icm_jax.report.story import Measure, Story, cell
from icm_jax.streams import SeedStream
from icm_jax.system import Evaluation, PyTree
from icm_jax.systems.counterfactual.biased import BiasedData
from icm_jax.systems.counterfactual.gan.steps import Gan, State
from icm_jax.systems.counterfactual.networks.dcgan import Dcgan
from icm_jax.systems.counterfactual.pixels import to_unit

_LEAST = 1e-6  # spread of originals that are all alike
_SHOWN = 10  # classes, and images of each, in a picture
MEASURES = {"spread": Measure("spread of images", "%")}


def evaluate(
    gan: Gan, biased: BiasedData, state: State, auxiliary: Mapping[str, PyTree], complete: bool
) -> Evaluation:
    """How far images of a class differ; pictures are made only if `complete`."""
    del auxiliary
    count, latent = gan.config.evaluation.images, gan.config.generator.latent
    key = streams.of_seed(0, SeedStream.EVALUATION)
    labels = np.repeat(np.arange(biased.classes, dtype=np.int32), count)
    noise = np.asarray(jax.random.normal(key, (len(labels), latent)))
    variables = state.generator.parameters._asdict()

    def make(index: np.ndarray) -> jax.Array:
        return _make(gan.generator, variables, noise[index], labels[index])

    made = in_chunks(make, len(labels))
    made = made.reshape(biased.classes, count, *made.shape[1:])
    of_originals = measure_spread(_originals(biased, count, key))
    spreads = measure_spread(made) / np.maximum(of_originals, _LEAST)
    summary = {
        "set": gan.config.data.set,
        "classes": biased.classes,
        "size": biased.size,
        "spread": float(spreads.mean()),
        "spread_of_classes": spreads.tolist(),
    }
    shown = to_unit(made[:_SHOWN, :_SHOWN])
    return Evaluation({"spread": summary["spread"]}, summary, {"images": shown} if complete else {})


def measure_spread(images: np.ndarray) -> np.ndarray:
    """Mean standard deviation of the pixels of each class's images `[L, N, S, S, C]`, `[L]`."""
    return images.std(axis=1).mean((1, 2, 3))


def _originals(biased: BiasedData, count: int, key: jax.Array) -> np.ndarray:
    """As many images to train on of each class, the first again where there are fewer."""
    each = [
        np.resize(np.flatnonzero(biased.train.labels == label), count)
        for label in range(biased.classes)
    ]
    parts = {name: part[np.concatenate(each)] for name, part in biased.train.parts.items()}
    images = np.asarray(biased.render(parts, biased.shared, key))
    return images.reshape(biased.classes, count, *images.shape[1:])


@functools.partial(jax.jit, static_argnums=0)
def _make(generator: Dcgan, variables: PyTree, noise: jax.Array, labels: jax.Array) -> jax.Array:
    return generator.apply(variables, noise, labels)


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary by which runs are compared."""
    return {"spread": summary["spread"]}


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The row of a run in a study."""
    del records
    return headline(summary)


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    return Story(
        f"Images of a class differ by {cell(summary['spread'], '%')} % of what original images of "
        f"it do ({summary['set']})",
        picture="images",
        head=("class", "spread (% of originals')"),
        rows=[
            [str(label), cell(value, "%")]
            for label, value in enumerate(summary["spread_of_classes"])
        ],
        curves=("training",),
        notes=["A GAN has one label for the whole image: its colours stay those of its class."],
    )


def draw_figures(evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    """The figures of a run, by name."""
    drawn = {"training": lines.panels(series.charts(records), "Training")}
    if evaluation.arrays:
        images = evaluation.arrays["images"]
        rows, columns = ([str(number) for number in range(n)] for n in images.shape[:2])
        drawn["images"] = figures.image_grid(images, rows, columns, "Images of each class")
    return drawn
