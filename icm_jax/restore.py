"""Use of a trained model: the experts of a finished run restore images of one's own."""

import contextlib
import functools
import operator
import os
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export
from ml_collections import ConfigDict
from tqdm import tqdm

from icm_jax import config as configs
from icm_jax.data import pad, to_float
from icm_jax.systems.icm_model import Model, make_model
from icm_jax.systems.icm_steps import State, init, prune
from icm_jax.training import WorkdirError, stacking
from icm_jax.training.checkpoints import Checkpoints
from icm_jax.training.steps import saved_state
from icm_jax.training.workdir import read_json, reasons

_CHUNK = 40  # images a call, as in evaluation


class Restored(NamedTuple):
    """What a trained model makes of N images.

    Attributes:
      images: float32 `[N, H, W, C]` in [0, 1], what the winners made.
      expert: int32 `[N]`, the index of the winner, whose output scores highest.
      score: float32 `[N]`, the probability that the discriminator gives it of being canonical.
    """

    images: jax.Array | np.ndarray
    expert: jax.Array | np.ndarray
    score: jax.Array | np.ndarray


@functools.partial(jax.jit, static_argnums=0)
def apply(model: Model, state: State, numbers: jax.Array, images: jax.Array) -> Restored:
    """Lets the experts compete for float32 images `[B, H, W, C]` in [0, 1], padded if need be.

    `numbers` is int32 `[E]`, what each expert is called.
    """
    experts = state.experts.params, state.experts.statistics

    def restored_by(index):
        return model.restore(*jax.tree.map(operator.itemgetter(index), experts), images)

    # One expert after the other: plain convolutions, fast on every platform it is exported to.
    outputs = jnp.stack([restored_by(index) for index in range(len(state.share))])  # [E, B, ...]
    scores = model.logits(state.discriminator.params, outputs)  # [E, B]
    winner = scores.argmax(axis=0).astype(jnp.int32)
    best = outputs[winner, jnp.arange(images.shape[0])]
    return Restored(best, numbers[winner], jax.nn.sigmoid(scores.max(axis=0)))


class Restorer(NamedTuple):
    """A trained model.

    Attributes:
      model: the networks.
      state: what they learned, without the states of the optimizers and the experts that
        `config.experts.prune` drops.
      numbers: int32 `[E]`, the numbers of the experts left, as in the run's report.
      shape: `(H, W, C)` of the images that it was trained on.
      padded_shape: likewise, with the padding of the run: what the experts see and make.
    """

    model: Model
    state: State
    numbers: np.ndarray
    shape: tuple[int, int, int]
    padded_shape: tuple[int, int, int]

    def __call__(self, images: np.ndarray | jax.Array) -> Restored:
        """Restores images, in chunks of one compiled shape.

        Args:
          images: `[N, H, W, C]`, or `[N, H, W]` for one channel; uint8, or float in [0, 1]. Either
            of `shape`, and then padded as in training, or of `padded_shape`.

        Returns:
          NumPy arrays; images of `padded_shape`.

        Raises:
          ValueError: there is no image, or they are of another size, number of channels, type or
            range.
        """
        images = self.fitted(np.asarray(images))
        count = len(images)
        chunks = []
        for i in tqdm(range(0, count, _CHUNK), "restore", unit="chunk", delay=2, disable=None):
            # The last chunk is filled up with repeated images, so that one shape is compiled.
            chunk = images[np.minimum(np.arange(i, i + _CHUNK), count - 1)]
            chunks.append(jax.device_get(apply(self.model, self.state, self.numbers, chunk)))
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *chunks)

    def fitted(self, images: np.ndarray, name: str = "images") -> np.ndarray:
        """Images as in a call, as float32 in [0, 1] of `padded_shape`; errors say `name`."""
        if images.ndim == 3:
            images = images[..., None]
        if images.ndim != 4 or not len(images):
            raise ValueError(
                f"{name}: an array of shape {images.shape} has no images; it must be [N, H, W, C] "
                "or [N, H, W] with N at least 1"
            )
        if images.shape[1:] not in (self.shape, self.padded_shape):
            wanted = f"the run was trained on {_said(self.shape)}"
            if self.padded_shape != self.shape:
                wanted += f", padded to {_said(self.padded_shape)} (data.pad); give either size"
            raise ValueError(f"{name}: {_said(images.shape[1:])}; {wanted}")
        if images.dtype == np.uint8:
            images = np.asarray(to_float(images))
        elif not np.issubdtype(images.dtype, np.floating):
            raise ValueError(f"{name}: {images.dtype} is not allowed; it must be uint8 or float")
        elif not (images.min() >= 0 and images.max() <= 1):  # NaN neither
            raise ValueError(
                f"{name}: values from {images.min()} to {images.max()} are not allowed; floats "
                "must be in [0, 1]"
            )
        images = images.astype(np.float32)
        if images.shape[1:] == self.padded_shape:
            return images
        return np.asarray(pad(images, self.padded_shape[0]))


def load(workdir: str | os.PathLike) -> Restorer:
    """The trained model of a finished run.

    Args:
      workdir: its folder; of a run of several seeds the folder of one, such as `<run>/seed_0`.

    Raises:
      ValueError: there is no config in it.
      WorkdirError: the run is not finished, of several seeds, or not of a competition.
      CheckpointError: there is no undamaged checkpoint.
    """
    folder = Path(workdir).resolve()
    config, summary = configs.from_workdir(folder), read_json(folder / "summary.json")
    if config.system != "icm":
        raise WorkdirError(f"workdir: {folder} holds a system {config.system!r}, without winners")
    if summary is None:
        raise WorkdirError(f"workdir: the run in {folder} is not finished; train it first")
    if "seeds" in summary:
        choice = ", ".join(str(folder / f"seed_{seed}") for seed in summary["seeds"])
        raise WorkdirError(f"workdir: {folder} holds several seeds; choose one of {choice}")
    if "image_shape" not in summary:
        raise WorkdirError(
            f"workdir: {folder / 'summary.json'} says no image_shape; evaluate the run again with "
            "--mode=evaluate"
        )
    shape, side = tuple(summary["image_shape"]), config.data.pad
    padded_shape = (side, side, shape[-1]) if side else shape
    model, example = make_model(config), jnp.zeros((1, *padded_shape))
    start = functools.partial(init, model, config.experts.count, example)
    of_all, index, count = _checkpoints(folder, config)
    with contextlib.closing(Checkpoints(of_all, config.checkpoint.keep)) as saved:
        restored = saved.restore()
    if restored is None:
        raise WorkdirError(f"workdir: there is no checkpoint in {of_all}")
    state = stacking.part(saved_state(start, restored.leaves, count), index, count)
    numbers = np.arange(config.experts.count)
    if config.experts.prune:
        state, numbers = prune(state, config.experts.prune)
    # The optimizers' states, twice the size of the networks, would be exported too.
    state = state._replace(
        experts=state.experts._replace(opt_state=()),
        discriminator=state.discriminator._replace(opt_state=()),
    )
    return Restorer(model, jax.device_put(state), numbers.astype(np.int32), shape, padded_shape)


def export(restorer: Restorer, path: str | os.PathLike) -> None:
    """Writes a trained model as one file that `jax.export.deserialize` reads, without this package.

    It is a function of float32 images `[b, H, W, C]` in [0, 1] of `restorer.padded_shape`, for any
    b, on CPU and CUDA. It returns a tuple of images, expert and score as in `Restored`. A file
    that is there is replaced.

    Raises:
      WorkdirError: `path` cannot be written.
    """
    height, width, channels = restorer.padded_shape
    shape = jax_export.symbolic_shape(f"b, {height}, {width}, {channels}")
    model, state, numbers, *_ = restorer
    function = jax.jit(lambda images: tuple(apply(model, state, numbers, images)))
    exported = jax_export.export(function, platforms=("cpu", "cuda"))(
        jax.ShapeDtypeStruct(shape, jnp.float32)
    )
    path = Path(path).expanduser()
    with reasons(path):
        path.write_bytes(exported.serialize())


def _checkpoints(folder: Path, config: ConfigDict) -> tuple[Path, int, int]:
    """The folder of a run's checkpoints, its index in them and how many runs they hold."""
    if (folder / "checkpoints").is_dir():
        return folder, 0, 1
    if folder.name == f"seed_{config.seed}" and (folder.parent / "checkpoints").is_dir():
        of_all = configs.from_workdir(folder.parent)
        return folder.parent, config.seed - of_all.seed, of_all.replicas
    raise WorkdirError(f"workdir: there are no checkpoints in {folder}")


def _said(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{height}x{width} pixels with {channels} channel{'s' if channels > 1 else ''}"
