"""What an invariant ensemble is judged by: accuracy, and what its heads look at."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import streams
from icm_jax.chunks import in_chunks
from icm_jax.data import Dataset
from icm_jax.report import lines, series
from icm_jax.report.story import Measure, Story, cell
from icm_jax.streams import SeedStream
from icm_jax.system import Evaluation, PyTree
from icm_jax.systems.counterfactual.biased.colors import to_signed
from icm_jax.systems.counterfactual.imagenet import classes
from icm_jax.systems.counterfactual.imagenet.ensemble import folders, measures
from icm_jax.systems.counterfactual.imagenet.ensemble.augmentation import crop_middle
from icm_jax.systems.counterfactual.imagenet.ensemble.network import (
    IMAGENET,
    IN9,
    mean_logits,
    normalize,
    without_background,
)
from icm_jax.systems.counterfactual.invariance.supply import Supply
from icm_jax.systems.counterfactual.networks.mechanisms import Each

MEASURES = {
    "top-1": Measure("top-1 accuracy", "%"),
    "shape bias": Measure("shape bias of the shape's head", "%"),
}
_CHUNK = 20  # images a call
_TOP = 5


class Evaluator(NamedTuple):
    """What an evaluation needs.

    Attributes:
      config: of the run.
      apply: `(variables, images) -> logits`, compiled.
      test: images to test on.
      supply: of counterfactuals.
      learned: see `System.learns_from`.
    """

    config: ConfigDict
    apply: Callable[[PyTree, jax.Array], Each]
    test: Dataset
    supply: Supply
    learned: Callable[[Mapping[str, PyTree]], Mapping[str, PyTree]]

    def __call__(self, state: Any, auxiliary: Mapping[str, PyTree], complete: bool) -> Evaluation:
        """Accuracy on the first test images and on counterfactuals; on all if `complete`.

        Cue conflicts and ImageNet-9, where they are given, are for complete evaluations.
        """
        variables = state.learner.parameters._asdict()
        config = self.config.evaluation
        count = len(self.test.labels) if complete else min(config.images, len(self.test.labels))
        logits = self._tell(variables, self.test.images[:count])
        said, labels = mean_logits(logits), self.test.labels[:count]
        scalars = {
            "top_1": measures.accuracy(said, labels),
            "top_5": measures.accuracy(said, labels, _TOP),
            **self._examine_heads(variables, auxiliary),
        }
        summary = {
            **scalars,
            "images": count,
            "counterfactuals": config.counterfactuals,
            "shape_bias": self._shape_biases(variables) if complete else None,
            "in9": self._in9(variables) if complete else None,
        }
        return Evaluation(scalars, summary, {})

    def _tell(self, variables: PyTree, images: np.ndarray, colors: tuple = IMAGENET) -> Each:
        """Logits of the middle of uint8 images `[N, S, S, C]`, float32 `[N, L]` of each head."""
        crop = min(self.config.data.crop, images.shape[1])

        def call(index: np.ndarray) -> Each:
            signed = crop_middle(to_signed(jnp.asarray(images[index])), crop)
            signed = jnp.broadcast_to(signed, (*signed.shape[:3], 3))
            return self.apply(variables, normalize(signed, colors))

        return in_chunks(call, len(images), _CHUNK)

    def _examine_heads(self, variables: PyTree, auxiliary: Mapping[str, PyTree]) -> dict:
        """Accuracy of each head on counterfactuals, for the label that it should tell."""
        # Once: they may lie on the host, and are as large as the generator.
        arrays = jax.device_put(self.learned(auxiliary).get("generator", self.supply.arrays))
        key = streams.of_seed(0, SeedStream.EVALUATION)

        def call(index: np.ndarray) -> tuple[Each, Each]:
            made, labels = self.supply.make(arrays, jax.random.fold_in(key, index[0]), _CHUNK, None)
            middle = crop_middle(made, min(self.config.data.crop, made.shape[1]))
            return self.apply(variables, normalize(middle)), labels

        logits, labels = in_chunks(call, self.config.evaluation.counterfactuals, _CHUNK)
        pairs = zip(Each._fields, logits, labels, strict=True)
        return {f"{name}_top_1": measures.accuracy(said, of) for name, said, of in pairs}

    def _shape_biases(self, variables: PyTree) -> dict[str, float | None] | None:
        """Shape bias of each head by cue conflicts; None where there are none."""
        root, size = self.config.evaluation.cue_conflict, self.config.data.crop
        if not root:
            return None
        read = folders.read_conflicts(root, size, "evaluation.cue_conflict")
        said = self._tell(variables, read.images)._asdict()
        categories = classes.cue_conflict()
        return {
            name: measures.shape_bias(measures.decide(of, categories), read.shapes, read.textures)
            for name, of in said.items()
        }

    def _in9(self, variables: PyTree) -> dict[str, float] | None:
        """Accuracy by shape and texture on ImageNet-9, and the gap; None where there is none."""
        root, size = self.config.evaluation.in9, self.config.data.crop
        if not root:
            return None
        found = {
            variant: measures.in9_accuracy(
                without_background(self._tell(variables, images, IN9)), labels
            )
            for variant, (images, labels) in folders.read_in9(root, size, "evaluation.in9").items()
        }
        same, random = (found[variant] for variant in folders.VARIANTS)
        return {**found, "gap": same - random}


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary by which runs are compared."""
    biases = summary["shape_bias"] or {}
    found = {"top-1": summary["top_1"], "shape bias": biases.get("shape")}
    return {name: value for name, value in found.items() if value is not None}


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The row of a run in a study."""
    del records
    gap = summary["in9"] and summary["in9"]["gap"]
    return {**headline(summary), "top-5": summary["top_5"], "background gap": gap}


def tell(summary: Mapping[str, Any]) -> Story:
    """The story of a run by its summary (as in `summary.json`)."""
    biases, in9 = summary["shape_bias"] or {}, summary["in9"] or {}
    rows = [
        [name, cell(summary[f"{name}_top_1"], "%"), cell(biases.get(name), "%")]
        for name in Each._fields
    ]
    gap = (
        "not measured"
        if not in9
        else (
            f"{cell(in9['gap'], '%')} points, {cell(in9['mixed_same'], '%')} % with backgrounds of "
            f"the same class and {cell(in9['mixed_rand'], '%')} % of any"
        )
    )
    return Story(
        f"Top-1 {cell(summary['top_1'], '%')} %, top-5 {cell(summary['top_5'], '%')} % of "
        f"{summary['images']} test images",
        picture="accuracy",
        head=("head", "right on counterfactuals (%)", "shape bias (%)"),
        rows=rows,
        curves=("heads", "training"),
        notes=[f"Background gap of ImageNet-9: {gap}."],
    )


def draw_figures(evaluation: Evaluation, records: list[dict]) -> dict[str, Figure]:
    """The figures of a run, by name."""
    del evaluation
    heads = {name: series.evaluated(records, f"{name}_top_1") for name in Each._fields}
    top = {name: series.evaluated(records, name) for name in ("top_1", "top_5")}
    return {
        "accuracy": lines.curves(top, "Accuracy on test images"),
        "heads": lines.curves(heads, "Accuracy of each head on counterfactuals"),
        "training": lines.panels(series.charts(records), "Training"),
    }
