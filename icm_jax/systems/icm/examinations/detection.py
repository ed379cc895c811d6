"""Detection: a detector of faces that never saw a changed one, with a run's experts before it.

The detector is a file that `--mode=export` of another run wrote: whatever trained it, it says of
images how likely they are faces (`prediction`) and what it does not know (`epistemic`).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import data, mechanisms, paths, streams
from icm_jax.config import from_workdir
from icm_jax.data import own
from icm_jax.schema import Field, Schema, any_text, at_least, check_settings, one_of
from icm_jax.streams import SeedStream
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.examinations.cases import NONE, Case, ask_cases, single_cases
from icm_jax.systems.icm.examinations.figures import draw_dots
from icm_jax.systems.icm.examinations.images import DATA, OWN, load_own_or_other
from icm_jax.systems.icm.examinations.robustness import restore_all
from icm_jax.systems.icm.examinations.trained import LEFT_SHARE, calibrate, made_good
from icm_jax.training.workdir import plain

SETTINGS = Schema(
    {
        "kind": Field("detection", one_of(("detection",)), "the examination"),
        "detector": Field("", any_text(), "file that --mode=export of a detector wrote"),
        "non_faces": Field("", any_text(), "folder, zip or .npz of images without faces; '': none"),
        "own": OWN,
        "data": DATA,
        "images": Field(300, at_least(1), "under each mechanism, and as many clean"),
        "left": LEFT_SHARE,
    }
)
# What the detector is shown: the changed image, what the winner makes, that or the image left, by
# the plain rule and calibrated.
WAYS = ("bare", "experts", "or left", "calibrated")
# images float32 [B, H, W, C] -> columns [B] by name
Detect = Callable[[jax.Array], Mapping[str, jax.Array]]


def examine(workdir: str | os.PathLike, settings: ConfigDict) -> dict[str, Any]:
    """Measures how often faces are found, clean, changed and restored.

    Args:
      workdir: of a run on faces, one seed.
      settings: see `SETTINGS`.

    Returns:
      JSON values: `seed`, `images`; `cases`, of faces and of what is no face: `group` ('clean',
      'known', 'non-faces'), `name`, `found` (the fraction taken for faces, by each of `WAYS`) and
      `epistemic`, its mean likewise (null where the detector says none).

    Raises:
      ValueError: a setting is not allowed, the detector is no such file, or images do not fit.
      FileNotFoundError: the detector or the images without faces are not there.
      ValueError, WorkdirError, CheckpointError: as `icm_jax.restore.load` and `data.load` do.
    """
    check_settings(settings, SETTINGS)
    config, restorer = from_workdir(workdir), restore.load(workdir)
    detect = load_detector(settings.detector, restorer.padded_shape[-1])
    splits = data.load(config.data)
    restorer = calibrate(restorer, config, splits, settings.left)
    faces = load_own_or_other(config, splits, settings, restorer)
    names = [mechanisms.label(spec) for spec in config.mechanisms]
    bank = [mechanisms.build(spec) for spec in config.mechanisms]
    count = min(settings.images, len(faces))
    cases = [Case("clean", "clean", NONE, NONE, count)]
    cases += single_cases({"known": config.mechanisms}, count)
    key = streams.of_seed(config.seed, SeedStream.ROBUSTNESS)

    def ask(changed, case, which):
        del case, which
        return ask_detector(detect, lambda images: restore_all(restorer, images)[:3], changed)

    answers = ask_cases(ask, bank, cases, faces, key, "detection")
    if settings.non_faces:
        others = _read(settings.non_faces, restorer)
        cases.append(Case("non-faces", "no face", NONE, NONE, min(count, len(others))))
        answers += ask_cases(ask, bank, cases[-1:], others, key, "no faces")
    return plain(
        {
            "seed": config.seed,
            "images": count,
            "mechanisms": names,
            "cases": [_said(case, *answer) for case, answer in zip(cases, answers, strict=True)],
        }
    )


def load_detector(path: str, channels: int) -> Detect:
    """The detector in a file; images are resized to what it takes.

    Args:
      path: of the file.
      channels: C of the images that will come.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is no exported model, or one of images of other channels.
    """
    file = paths.local(path, "detector")
    if not file.is_file():
        raise FileNotFoundError(f"detector: {path!r} is no file; give one of --mode=export")
    try:
        model = export.deserialize(file.read_bytes())
        *_, height, width, wanted = model.in_avals[0].shape
    except Exception as error:
        # Whatever flatbuffers makes of another file.
        raise ValueError(f"detector: {path!r} is no exported model of images: {error}") from error
    if wanted != channels:
        raise ValueError(
            f"detector: {path!r} is of images with {wanted} channels; the run's have {channels}"
        )
    # One that draws takes a seed besides.
    more = [jnp.uint32(0)] * (len(model.in_avals) - 1)

    @jax.jit
    def detect(images: jax.Array) -> Mapping[str, jax.Array]:
        shape = (len(images), height, width, wanted)
        return model.call(jax.image.resize(images, shape, "linear").clip(0, 1), *more)

    return detect


def ask_detector(
    detect: Detect,
    restore: Callable[[jax.Array], Sequence[np.ndarray]],
    changed: jax.Array,
) -> tuple[np.ndarray, np.ndarray]:
    """Whether images are taken for faces, bool `[B, 4]` by `WAYS`, and `epistemic` likewise.

    Args:
      detect: the detector.
      restore: what the winner makes, and what is made where the untouched image competes too, by
        the plain rule and calibrated.
      changed: float32 `[B, H, W, C]` in [0, 1].
    """
    chex.assert_rank(changed, 4)
    said = [detect(jnp.asarray(images)) for images in (changed, *restore(changed))]
    found = np.stack([np.asarray(of["prediction"]) >= 0.5 for of in said], axis=1)
    nothing = np.full(len(changed), np.nan, np.float32)
    unsure = np.stack([np.asarray(of.get("epistemic", nothing)) for of in said], axis=1)
    return found, unsure


def _said(case: Case, found: np.ndarray, epistemic: np.ndarray) -> dict[str, Any]:
    return {
        "group": case.group,
        "name": case.name,
        "found": dict(zip(WAYS, found.mean(axis=0), strict=True)),
        "epistemic": dict(zip(WAYS, epistemic.mean(axis=0), strict=True)),
    }


def _read(source: str, restorer: restore.Restorer) -> np.ndarray:
    """Images without faces, float32 `[N, H, W, C]`, brought to the size of the run's."""
    shape = restorer.padded_shape

    def fit(images: np.ndarray, said: str) -> np.ndarray:
        images = own.as_batch(own.with_channels(images, shape[-1]), said)
        own.check_values(images, said)
        if images.dtype != np.uint8:
            images = np.round(images * 255).astype(np.uint8)
        if shape[-1] == 1:
            images = own.as_grey(images)
        if images.shape[-1] != shape[-1]:
            raise ValueError(
                f"{said}: {images.shape[-1]} channels are not allowed; the run's images have "
                f"{shape[-1]}"
            )
        sized = jax.image.resize(images / np.float32(255), (len(images), *shape), "linear")
        return np.asarray(sized).clip(0, 1)

    return own.read(source, fit, "non_faces")[1]


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The headline: fractions of faces found, and what is made good of the loss by mechanisms."""
    result = {}
    for group in dict.fromkeys(case["group"] for case in found["cases"]):
        of = [case["found"] for case in found["cases"] if case["group"] == group]
        for way in WAYS:
            result[f"fraction found, {group}, {way}"] = float(np.mean([one[way] for one in of]))
    clean, bare = (result[f"fraction found, {group}, bare"] for group in ("clean", "known"))
    for way in WAYS[1:]:
        better = result[f"fraction found, known, {way}"]
        result[f"fraction made good, {way}"] = made_good(bare, better, clean)
    return result


def tables(
    found: Sequence[Mapping[str, Any]],
) -> dict[str, tuple[list[str], list[list[str | float]]]]:
    """Means over the seeds: a row a case."""
    rows = [
        [
            case["name"],
            *(
                _mean([run["cases"][i][field][way] for run in found])
                for field in ("found", "epistemic")
                for way in WAYS
            ),
        ]
        for i, case in enumerate(found[0]["cases"])
    ]
    head = [f"{name} {way}" for name in ("fraction found,", "epistemic,") for way in WAYS]
    return {"cases": (["images", *head], rows)}


def _mean(values: Sequence[float | None]) -> float:
    return float(np.mean(np.array(values, float)))


def figures(found: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Draws how often faces are found, mechanism by mechanism."""
    labels = {
        "bare": "detector alone",
        "experts": "with experts",
        "or left": "or left",
        "calibrated": "or left, calibrated",
    }
    series = {
        label: np.array([[case["found"][way] for case in run["cases"]] for run in found])
        for way, label in labels.items()
    }
    names = [case["name"] for case in found[0]["cases"]]
    return {"cases": draw_dots({"taken for faces": series}, names, "Faces found")}
