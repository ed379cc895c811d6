"""The state of a detector in training, its step, and what it does at the end of an epoch."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from icm_jax import collectives, objectives
from icm_jax.chunks import in_chunks
from icm_jax.data import to_float
from icm_jax.schedules import decaying
from icm_jax.supervised import Learner, Parameters, descend
from icm_jax.system import Mean, Metrics, Phase
from icm_jax.systems.risk.detection.model import make_model
from icm_jax.systems.risk.detection.sampling import (
    draw_halves,
    weigh_groups,
    weigh_risk,
)
from icm_jax.systems.risk.groups import FACE
from icm_jax.systems.risk.wrappers import Risk
from icm_jax.systems.risk.wrappers.bank import forget

PyTree = Any
Data = Mapping[str, PyTree]
_CHUNK = 250  # images a call


class State(NamedTuple):
    """Everything that resuming needs.

    Attributes:
      variables: of the model.
      opt_state: of Adam.
      weights: float32 `[N]`, by which training images are drawn, apart for faces and others.
      cells: float32 `[2 G]`, what the mean loss of each class and group counts (group DRO).
      first_density: float32 `[N]`, the log density of training faces after the first epoch, before
        it changed any weight; 0 of others, and of all before that.
    """

    variables: PyTree
    opt_state: PyTree
    weights: jax.Array
    cells: jax.Array
    first_density: jax.Array


class Detector(NamedTuple):
    """What the functions of this module are of.

    Attributes:
      config: see `icm_jax.systems.risk.detection.config`.
      model: see `icm_jax.systems.risk.detection.model`.
      shape: of an image.
      groups: G.
      axis_name: device axis, or None.
      predict: `(variables, images uint8 [B, H, W, C], key) -> Risk`, compiled.
      remember: `(variables, images, bool [B], which count) -> variables`, compiled.
    """

    config: ConfigDict
    model: Any
    shape: tuple[int, ...]
    groups: int
    axis_name: str | None
    predict: Callable[[PyTree, jax.Array, jax.Array], Risk]
    remember: Callable[[PyTree, jax.Array, jax.Array], PyTree]

    def describe(self, variables: PyTree, images: np.ndarray) -> Risk:
        """The risk of images uint8 `[N, H, W, C]` on the host, some at a time.

        What dropout drops is the same whenever and for whatever images it is called.
        """
        key = jax.random.key(0)
        return in_chunks(lambda i: self.predict(variables, images[i], key), len(images), _CHUNK)


def make_detector(
    config: ConfigDict, shape: tuple[int, ...], groups: int, axis_name: str | None
) -> Detector:
    """The detector of a config, of images of a shape `(H, W, C)` in G groups."""
    model = make_model(config, shape, axis_name)
    predict = jax.jit(lambda variables, x, key: model.predict(variables, to_float(x), key))
    remember = jax.jit(lambda variables, x, counts: model.observe(variables, to_float(x), counts))
    return Detector(config, model, shape, groups, axis_name, predict, remember)


def init_state(detector: Detector, count: int, key: jax.Array) -> State:
    """A model that has learned nothing, and `count` training images that are drawn alike."""
    variables = detector.model.init(key, jnp.zeros((1, *detector.shape)))
    opt_state = _optimizer(detector.config).init(variables["params"])
    cells = jnp.full(2 * detector.groups, 0.5 / detector.groups)
    return State(variables, opt_state, jnp.ones(count), cells, jnp.zeros(count))


def make_phases(detector: Detector) -> tuple[Phase, ...]:
    """Training; and once more without the images that it was most uncertain about, if wanted."""
    config = detector.config
    step, observe = functools.partial(_step, detector), functools.partial(_observe, detector)
    begin = functools.partial(_begin, detector)
    training = Phase("training", config.steps, step, begin=begin, observe=observe)
    if not config.cleaning.share:
        return (training,)
    clean = functools.partial(_clean, detector)
    return training, Phase("cleaned", config.steps, step, begin=clean, observe=observe)


def _step(detector: Detector, state: State, data: Data, key: jax.Array) -> tuple[State, Metrics]:
    """Draws a batch, one half of it faces, and learns from it."""
    config, axis_name = detector.config, detector.axis_name
    draw_key, loss_key = jax.random.split(key)
    index = draw_halves(draw_key, state.weights, data["labels"], config.batch_size)
    index = collectives.share(index, axis_name)
    loss_key = collectives.own_key(loss_key, axis_name)
    images, labels = to_float(data["images"][index]), data["labels"][index]
    cell = labels * detector.groups + data["group"][index]

    def value(params):
        variables = {**state.variables, "params": params}
        of_output, beside, variables = detector.model.losses(variables, images, labels, loss_key)
        losses = of_output + beside
        cells, worst = state.cells, losses.sum() / config.batch_size
        if config.group_dro.rate:
            # The autoencoder's loss, which faces alone have, must not pass for theirs.
            cells, worst = _weigh_cells(detector, state.cells, of_output, cell)
            worst += beside.sum() / config.batch_size
        return worst, (losses, variables, cells)

    params = state.variables["params"]
    gradient, (losses, variables, cells) = jax.grad(value, has_aux=True)(params)
    learner = Learner(Parameters(params, variables["batch_stats"]), state.opt_state)
    (params, _), opt_state = descend(
        _optimizer(config), learner, gradient, variables["batch_stats"], axis_name
    )
    variables = {**variables, "params": params}
    total = collectives.psum(losses.sum(), axis_name) / config.model.members
    metrics = {"loss": Mean(total, jnp.float32(config.batch_size))}
    return state._replace(variables=variables, opt_state=opt_state, cells=cells), metrics


def _weigh_cells(
    detector: Detector, cells: jax.Array, losses: jax.Array, cell: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The cells' weights after the step, and this device's share of the loss by them."""
    count, axis_name = 2 * detector.groups, detector.axis_name
    means, counts = objectives.group_means(jax.lax.stop_gradient(losses), cell, count, axis_name)
    rate = detector.config.group_dro.rate
    cells = objectives.group_dro_weights(cells, means, counts, rate)
    return cells, objectives.weighted_groups(losses, cell, cells, counts)


def _begin(detector: Detector, state: State, data: Data, key: jax.Array) -> State:
    """Groups that are known are drawn equally often from the start."""
    del key
    if detector.config.resampling.by != "group":
        return state
    weights, labels, group = np.ones(len(data["labels"]), np.float32), data["labels"], data["group"]
    for label in (0, FACE):
        weights[labels == label] = weigh_groups(group[labels == label])
    return state._replace(weights=weights)


def _observe(detector: Detector, state: State, data: Data) -> State:
    """Fills the banks with faces, and draws those more often that are rare or uncertain."""
    settings = detector.config.resampling
    faces = np.flatnonzero(np.asarray(data["labels"]) == FACE)
    # Not in their order, in which pictures of a person lie together; not those that were taken out.
    order = np.random.RandomState(0).permutation(faces[np.asarray(state.weights)[faces] > 0])
    variables = _fill(detector, state.variables, data["images"], order)
    state = state._replace(variables=variables)
    is_first = bool(detector.config.model.density) and not np.any(state.first_density)
    is_weighed = settings.by not in ("", "group")
    if not (is_first or is_weighed):
        return state
    risk = detector.describe(variables, data["images"][faces])
    if is_first:
        first = np.zeros(len(data["labels"]), np.float32)
        first[faces] = risk.density
        state = state._replace(first_density=first)
    if is_weighed:
        weights = np.array(state.weights)
        # Images that were taken out stay out.
        chosen = weigh_risk(risk, settings.by, settings.power, settings.most)
        weights[faces] = np.where(weights[faces] > 0, chosen, 0)
        state = state._replace(weights=weights)
    return state


def _clean(detector: Detector, state: State, data: Data, key: jax.Array) -> State:
    """Begins anew without the training images of which the class is most uncertain."""
    risk = detector.describe(state.variables, data["images"])
    certain = np.argsort(np.asarray(risk.aleatoric), kind="stable")
    count = round(len(certain) * (1 - detector.config.cleaning.share))
    weights = np.zeros(len(certain), np.float32)
    weights[certain[:count]] = 1
    labels = np.asarray(data["labels"])
    for of in np.unique(labels):
        if not weights[labels == of].any():
            raise ValueError(
                f"cleaning.share: {detector.config.cleaning.share} leaves no image of class {of}; "
                "it must be less"
            )
    begin = jax.jit(functools.partial(init_state, detector, len(weights)))
    return begin(key)._replace(weights=weights)


def _fill(detector: Detector, variables: PyTree, images: np.ndarray, order: np.ndarray) -> PyTree:
    """The variables with the latents of the images at `order`, and no others, in the banks."""
    if not detector.config.model.density:
        return variables
    variables = forget(variables)
    order = order[: detector.config.model.bank]
    for first in range(0, len(order), _CHUNK):
        index = np.arange(first, first + _CHUNK)
        counts = index < len(order)
        variables = detector.remember(
            variables, images[order[np.minimum(index, len(order) - 1)]], counts
        )
    return variables


def _optimizer(config: ConfigDict) -> optax.GradientTransformation:
    return optax.adam(decaying(config.optimizer, max(config.steps, 1)))
