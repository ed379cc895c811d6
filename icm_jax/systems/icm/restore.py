"""Use of a trained model: the experts of a finished run restore images of one's own."""

import functools
import os
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from icm_jax import environment, exported
from icm_jax.chunks import in_chunks
from icm_jax.data import own, pad, to_float
from icm_jax.systems.icm import diagnosis, judge
from icm_jax.systems.icm.config import SCHEMAS
from icm_jax.systems.icm.diagnosis import Diagnosis, Scored
from icm_jax.systems.icm.evaluation import score
from icm_jax.systems.icm.model import Model, make_model
from icm_jax.systems.icm.state import Experts, State, init, prune
from icm_jax.training import WorkdirError, finished
from icm_jax.training.finished import Finished

_Shape = tuple[int, int, int]  # height, width, channels


class Restored(NamedTuple):
    """What a trained model makes of N images.

    Attributes:
      images: float32 `[N, H, W, C]` from 0 to 1, what the winners made; above 1 too where the
        experts' output is 'relu'.
      expert: int32 `[N]`, the index of the winner, whose output scores highest.
      score: float32 `[N]`, the probability that the discriminator gives it of being canonical.
    """

    images: jax.Array | np.ndarray
    expert: jax.Array | np.ndarray
    score: jax.Array | np.ndarray


@functools.partial(jax.jit, static_argnums=0)
def apply(model: Model, state: State, numbers: jax.Array, images: jax.Array) -> Restored:
    """Lets the experts compete for images.

    Args:
      model: the networks.
      state: of E experts.
      numbers: int32 `[E]`, what each expert is called.
      images: float32 `[B, H, W, C]` in [0, 1], padded if need be.
    """
    chex.assert_rank([numbers, images], [1, 4])
    scored = score(model, state, images)
    winner = scored.logits.argmax(axis=0).astype(jnp.int32)
    best = scored.outputs[winner, jnp.arange(images.shape[0])]
    return Restored(best, numbers[winner], jax.nn.sigmoid(scored.logits.max(axis=0)))


class Restorer(NamedTuple):
    """A trained model.

    Attributes:
      model: the networks.
      state: what they learned, without the states of the optimizers and the experts that
        `config.experts.prune` drops.
      numbers: int32 `[E]`, the numbers of the experts left, as in the run's report.
      shape: `(H, W, C)` of the images that it was trained on.
      padded_shape: likewise, with the padding of the run: what the experts see and make.
      mechanisms: E names, what each expert undoes, see `diagnosis.name_experts`.
      lead: by how much an expert's logit must be above that of an image that may be left.
    """

    model: Model
    state: State
    numbers: np.ndarray
    shape: _Shape
    padded_shape: _Shape
    mechanisms: tuple[str, ...]
    lead: float = 0.0

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
        return in_chunks(lambda index: self.compete(images[index]), len(images), name="restore")

    def diagnose(self, images: np.ndarray | jax.Array, leave: bool = True) -> Diagnosis:
        """Restores images or leaves them, and says whose mechanism each shows and how sure that is.

        Raises what a call does.

        Args:
          images: as in a call.
          leave: whether an image as it is competes too, by its own score, and is left where that
            is the best. Without, the winner restores it as in a call.
        """
        images = self.fitted(np.asarray(images))

        def call(index):
            scored = jax.device_get(self.score(images[index]))
            known = self.mechanisms, self.numbers
            return diagnosis.diagnose(scored, images[index], *known, leave, self.lead)

        return in_chunks(call, len(images), name="diagnose")

    def calibrate(self, images: np.ndarray | jax.Array, share: float = 0.95) -> "Restorer":
        """The model with the `lead` at which it leaves a share of canonical images as they are.

        An expert that has little to undo, of noise say, likes to improve images that nothing has
        happened to. Images that the run was trained on will do; none that is transformed is needed.

        Args:
          images: canonical ones, as in a call.
          share: of them, from 0 to 1.

        Raises:
          ValueError: `share` is another, or as a call does.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share: {share} is not allowed; it must be from 0 to 1")
        images = self.fitted(np.asarray(images))

        def call(index):
            scored = self.score(images[index])
            return scored._replace(outputs=np.zeros(len(index)), logits=scored.logits.T)

        scored = in_chunks(call, len(images), name="calibrate")
        lead = diagnosis.lead_of(scored._replace(logits=scored.logits.T), share)
        return self._replace(lead=lead)

    def score(self, images: np.ndarray | jax.Array) -> Scored:
        """What all experts make of images as in `compete`, and what that scores."""
        return score(self.model, self.state, images)

    def compete(self, images: np.ndarray | jax.Array) -> Restored:
        """Restores float32 images `[B, H, W, C]` in [0, 1] of `padded_shape` in one call."""
        return apply(self.model, self.state, self.numbers, images)

    def fitted(self, images: np.ndarray, name: str = "images") -> np.ndarray:
        """Images as in a call, as float32 `[N, H, W, C]` in [0, 1] of `padded_shape`.

        Errors say `name` for the images.
        """
        images = own.as_batch(images, name)
        if images.shape[1:] not in (self.shape, self.padded_shape):
            wanted = f"the run was trained on {_said(self.shape)}"
            if self.padded_shape != self.shape:
                wanted += f", padded to {_said(self.padded_shape)} (data.pad); give either size"
            raise ValueError(f"{name}: {_said(images.shape[1:])}; {wanted}")
        own.check_values(images, name)
        if images.dtype == np.uint8:
            images = np.asarray(to_float(images))
        images = images.astype(np.float32)
        if images.shape[1:] == self.padded_shape:
            return images
        return np.asarray(pad(images, self.padded_shape[0]))


def load(workdir: str | os.PathLike) -> Restorer:
    """The trained model of a finished run.

    Args:
      workdir: its folder; of a run of several seeds the folder of one, such as `<run>/seed_0`.

    Raises:
      ValueError: there is no config in it, or JAX has a setting that will not do.
      WorkdirError: the run is not finished, of several seeds, or not of a competition.
      CheckpointError: there is no undamaged checkpoint.
    """
    run, model, state = load_state(workdir)
    numbers = np.arange(run.config.experts.count)
    if run.config.experts.prune:
        state, numbers = prune(state, run.config.experts.prune)
    names = tuple(name_experts(run)[numbers].tolist())
    return make_restorer(model, state, names, _shape(run), padded_shape(run), numbers)


def make_restorer(
    model: Model,
    state: State,
    names: tuple[str, ...],
    shape: _Shape,
    padded_shape: _Shape,
    numbers: np.ndarray | None = None,
) -> Restorer:
    """What restores images with a state, whose averages count where there are any.

    Arguments are as in `Restorer`; experts are numbered in order where `numbers` is None.
    """
    # The optimizers' states, twice the size of the networks, would be exported too.
    state = state._replace(
        experts=Experts(*state.experts.evaluated, opt_state=()),
        discriminator=state.discriminator._replace(opt_state=()),
    )
    numbers = np.arange(len(names)) if numbers is None else numbers
    return Restorer(
        model, jax.device_put(state), numbers.astype(np.int32), shape, padded_shape, names
    )


def load_state(workdir: str | os.PathLike) -> tuple[Finished, Model, State]:
    """A finished run of a competition, its networks and all that they learned.

    Takes and raises what `load` does.
    """
    environment.require_jax()
    run = _finished(workdir)
    if run.config.system != "icm":
        raise WorkdirError(
            f"workdir: {run.folder} holds a system {run.config.system!r}, without winners"
        )
    model, example = make_model(run.config), jnp.zeros((1, *padded_shape(run)))
    start = functools.partial(init, model, run.config.experts.count, example)
    return run, model, run.saved().state(start)


def load_judge(workdir: str | os.PathLike) -> Callable[[jax.Array | np.ndarray], jax.Array]:
    """The judge of a finished run, the classifier of canonical images that it was evaluated with.

    Takes and raises what `load` does.

    Returns:
      A compiled function of uint8 images, which are padded as in training, or of float32 ones in
      [0, 1], taken as they are, `[B, H, W, C]`. It returns their classes, int32 `[B]`.
    """
    run = _finished(workdir)
    said = run.said("judge")
    if run.config.classifier.learns != "labels" or said is None:
        raise WorkdirError(f"workdir: the run in {run.folder} has no judge of labels")
    classifier = judge.make_classifier(run.config, said["classes"])
    start = functools.partial(classifier.init, jnp.zeros((1, *padded_shape(run))))
    state = run.saved("classifier").state(start)
    return functools.partial(jax.jit(classifier.predict), jax.device_put(state))


def export(restorer: Restorer, path: str | os.PathLike) -> None:
    """Writes a trained model as one file that `jax.export.deserialize` reads, without this package.

    It is a function of float32 images `[b, H, W, C]` in [0, 1] of `restorer.padded_shape`, for any
    b, on CPU and CUDA. It returns a tuple of images, expert and score as in `Restored`. A file
    that is there is replaced.

    Raises:
      ValueError: `path` is a folder, lies in none, or is no path on this machine.
      WorkdirError: `path` cannot be written.
    """
    exported.write(lambda images: tuple(restorer.compete(images)), restorer.padded_shape, path)


def _finished(workdir: str | os.PathLike) -> Finished:
    """The run in a folder; refuses one that `finished.read` does, and one of other systems."""
    run = finished.read(workdir)
    system = run.config.get("system")  # of a config that is not whole None
    if system not in ("icm", "oracle"):
        raise WorkdirError(f"workdir: {run.folder} holds a system {system!r}, without experts")
    run.check(SCHEMAS[system])
    return run


def name_experts(run: Finished) -> np.ndarray:
    """What each of its experts undoes: text `[E]`."""
    said = run.said("specialization")
    return np.array(diagnosis.name_experts(said["wins"], said["mechanisms"]))


def _shape(run: Finished) -> _Shape:
    """Of the images of a run."""
    return tuple(run.said("image_shape"))


def padded_shape(run: Finished) -> _Shape:
    """Of the images of a run with its padding."""
    side, shape = run.config.data.pad, _shape(run)
    return (side, side, shape[-1]) if side else shape


def _said(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{height}x{width} pixels with {channels} channel{'s' if channels > 1 else ''}"
