"""Use of a finished detector: how likely images are faces, and what it does not know of them."""

import os
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax.data import own, to_bytes
from icm_jax.system import PyTree
from icm_jax.systems.kind import Use
from icm_jax.systems.risk import predictor
from icm_jax.systems.risk.detection.config import SCHEMA
from icm_jax.systems.risk.detection.model import make_model
from icm_jax.systems.risk.faces import prepare
from icm_jax.systems.risk.predictor import Predictor
from icm_jax.training import finished, output_folder


class _Trained(NamedTuple):
    """The part of a state that is used; its leaves have the paths that they have in `State`."""

    variables: PyTree


def load(workdir: str | os.PathLike) -> Predictor:
    """The detector of a finished run, of images that `faces.prepare` made, in [0, 1].

    Args:
      workdir: its folder; of a run of several seeds the folder of one, such as `<run>/seed_0`.

    Raises:
      ValueError: there is no config of a detector in it.
      WorkdirError: the run is not finished, or of several seeds.
      CheckpointError: there is no undamaged checkpoint.
    """
    return _load(finished.read(workdir))


def read(source: str | os.PathLike, channels: int, settings: ConfigDict) -> tuple:
    """Reads images and brings them through the pipeline that training had of non-faces.

    Args:
      source: see `icm_jax.data.own.read`; images of any sizes, uint8 or float in [0, 1].
      channels: of the images that the detector was trained on.
      settings: `config.data` of the run.

    Returns:
      Names, and uint8 `[N, size, size, channels]`.

    Raises:
      ValueError, FileNotFoundError: as `icm_jax.data.own.read`.
    """

    def fit(images: np.ndarray, said: str) -> np.ndarray:
        images = own.as_batch(images, said)
        if images.shape[-1] not in (1, 3):
            raise ValueError(
                f"{said}: {images.shape[-1]} channels are not allowed; images must have 1 or 3"
            )
        own.check_values(images, said)
        if images.dtype != np.uint8:
            images = to_bytes(images)
        return prepare(list(images), channels, settings.size, settings.quality)

    return own.read(source, fit)


def _load(run: finished.Finished) -> Predictor:
    run.check(SCHEMA)
    shape = tuple(run.said("image_shape"))
    model = make_model(run.config, shape, None)
    example = jnp.zeros((1, *shape))
    trained = run.saved().state(lambda key: _Trained(model.init(key, example)))

    def describe(variables, images, key):
        return {"": model.predict(variables, images, key)}

    variables = jax.device_put(trained.variables)
    return Predictor(describe, variables, shape, model.draws)


def _predict(workdir: Path, source: Path, output: Path) -> str:
    run = finished.read(workdir)
    detector = _load(run)
    names, images = read(source, detector.shape[-1], run.config.data)
    folder = output_folder(output)
    found = detector(images.astype(np.float32) / 255)
    return f"{len(names)} images predicted\n{predictor.write(folder, names, found)}"


def _export(workdir: Path, source: None, output: Path) -> str:
    del source
    load(workdir).export(output)
    return str(output)


USES = {"predict": Use(_predict, takes_input=True), "export": Use(_export)}
