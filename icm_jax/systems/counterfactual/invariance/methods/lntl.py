"""Learning Not to Learn (Kim et al. 2019): features from which the colour cannot be told.

Three predictors tell, at each place of the features, into which of 8 bins each channel of the image
falls. The classifier learns the labels and to leave them in doubt (the entropy term, its first
update of a step); then the predictors learn, and the classifier goes where they would do worse
(gradient reversal, its second). Terms, weights, the optimizer and the order are those of the
published code (trainer.py of feidfoe/learning-not-to-learn).
"""

import chex
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax import collectives
from icm_jax.networks.compute import Compute
from icm_jax.supervised import Batch, Learner, Parameters, descend, init_parameters
from icm_jax.system import Mean, Metrics, PyTree
from icm_jax.systems.counterfactual.invariance.state import Parts, State, Step
from icm_jax.systems.counterfactual.networks.classifier import FEATURES
from icm_jax.systems.counterfactual.networks.predictors import ColorPredictors

_BINS = 8
_MOMENTUM, _WEIGHT_DECAY = 0.9, 5e-4
_FALLS = (0.4, 0.8)  # shares of the steps after which the rate is a tenth of what it was


def init(parts: Parts, key: jax.Array) -> State:
    """A classifier and predictors that have learned nothing."""
    ours, theirs = jax.random.split(key)
    parameters = init_parameters(parts.outside, parts.example, ours)
    features = jax.eval_shape(lambda: _classify(parts.outside, parameters, parts.example)[1])
    of_colors = init_parameters(_predictors(parts.config), jnp.zeros(features.shape), theirs)
    return State(
        learner=Learner(parameters, make_optimizer(parts.config, 2).init(parameters.params)),
        predictors=Learner(of_colors, make_optimizer(parts.config, 1).init(of_colors.params)),
    )


def make_step(parts: Parts) -> Step:
    """The step: the classifier hides colours, then the predictors and it learn of them."""

    def step(state: State, data: PyTree, key: jax.Array) -> tuple[State, Metrics]:
        batch, metrics = parts.draw(state, data, key)
        learner, told = _learn_labels(parts, state, batch)
        state, of_colors = _learn_colors(parts, state._replace(learner=learner), batch)
        return state, {**metrics, **told, **of_colors}

    return step


def make_optimizer(config: ConfigDict, updates: int) -> optax.GradientTransformation:
    """Stochastic gradient descent, `updates` of which make a step."""
    bounds = {round(share * config.steps * updates): 0.1 for share in _FALLS}
    rate = optax.piecewise_constant_schedule(config.lntl.learning_rate, bounds)
    return optax.chain(
        optax.add_decayed_weights(_WEIGHT_DECAY), optax.sgd(rate, momentum=_MOMENTUM)
    )


def bin_colors(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The bin of each channel at every second pixel, and whether it counts.

    As published, a channel that is 0 does not count: black is the background there.

    Args:
      images: float32 `[B, S, S, 3]` in [-1, 1].

    Returns:
      int32 `[B, S / 2, S / 2, 3]`, 0 to 7, and float32 of that shape, 0 or 1.
    """
    chex.assert_rank(images, 4)
    brightness = jnp.round(jnp.clip((images[:, 1::2, 1::2] + 1) * 127.5, 0, 255))
    return (brightness // (256 // _BINS)).astype(jnp.int32), (brightness > 0).astype(jnp.float32)


def reverse_gradient(x: jax.Array, factor: float) -> jax.Array:
    """`x` itself, whose gradient is turned round and multiplied by `factor` (Ganin et al. 2016)."""
    fixed = jax.lax.stop_gradient(x)
    return fixed - factor * (x - fixed)


def entropies(logits: jax.Array) -> jax.Array:
    """Entropies in nats of the distributions of logits `[..., bins]`, `[...]`."""
    logs = jax.nn.log_softmax(logits)
    return -(jnp.exp(logs) * logs).sum(axis=-1)


def _learn_labels(parts: Parts, state: State, batch: Batch) -> tuple[Learner, Metrics]:
    """The classifier after its first update: labels, and predictors that stay in doubt."""
    size, weight = parts.config.batch_size, parts.config.lntl.entropy

    def value(params: PyTree):
        parameters = state.learner.parameters._replace(params=params)
        logits, features, stats = _classify(parts.network, parameters, batch.inputs)
        of_colors, _ = _predict(parts, state.predictors.parameters, features)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
        doubt = entropies(of_colors).mean((1, 2, 3))
        right = (logits.argmax(axis=1) == batch.labels).astype(jnp.float32)
        sums = {"loss": losses.sum(), "accuracy": right.sum(), "color_entropy": doubt.sum()}
        return (sums["loss"] - weight * sums["color_entropy"]) / size, (stats, sums)

    gradient, (stats, sums) = jax.grad(value, has_aux=True)(state.learner.parameters.params)
    optimizer = make_optimizer(parts.config, 2)
    learner = descend(optimizer, state.learner, gradient, stats, parts.axis_name)
    sums = collectives.psum(sums, parts.axis_name)
    return learner, {name: Mean(total, jnp.float32(size)) for name, total in sums.items()}


def _learn_colors(parts: Parts, state: State, batch: Batch) -> tuple[State, Metrics]:
    """The predictors after their update, and the classifier after its second, against them."""
    bins, counts = bin_colors(batch.inputs)
    players = state.learner, state.predictors
    # Each channel's mean over the pixels where it counts.
    counted = jnp.maximum(collectives.psum(counts.sum((0, 1, 2)), parts.axis_name), 1)

    def value(params: tuple[PyTree, PyTree]):
        ours, theirs = (
            player.parameters._replace(params=of)
            for player, of in zip(players, params, strict=True)
        )
        _, features, our_stats = _classify(parts.network, ours, batch.inputs)
        features = reverse_gradient(features, parts.config.lntl.reversal)
        logits, their_stats = _predict(parts, theirs, features)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, bins)
        total = ((losses * counts).sum((0, 1, 2)) / counted).sum()
        return total, ((our_stats, their_stats), total)

    params = tuple(player.parameters.params for player in players)
    gradients, (stats, total) = jax.grad(value, has_aux=True)(params)
    learner, predictors = (
        descend(make_optimizer(parts.config, updates), *of, parts.axis_name)
        for updates, *of in zip((2, 1), players, gradients, stats, strict=True)
    )
    total = collectives.psum(total, parts.axis_name)
    state = state._replace(learner=learner, predictors=predictors)
    return state, {"color_loss": Mean(total, jnp.float32(bins.shape[-1]))}


def _predictors(config: ConfigDict, axis_name: str | None = None) -> ColorPredictors:
    return ColorPredictors(_BINS, axis_name, Compute(config.precision, config.convolution))


def _classify(network, parameters: Parameters, images: jax.Array) -> tuple:
    """Logits `[b, L]`, features `[b, S / 2, S / 2, C]` and running statistics after them."""
    logits, updates = network.apply(
        parameters._asdict(), images, train=True, mutable=["batch_stats", "intermediates"]
    )
    (features,) = updates["intermediates"][FEATURES]
    return logits.astype(jnp.float32), features, updates["batch_stats"]


def _predict(parts: Parts, parameters: Parameters, features: jax.Array) -> tuple[jax.Array, PyTree]:
    """Logits `[b, S / 2, S / 2, 3, bins]` and running statistics after them."""
    predictors = _predictors(parts.config, parts.axis_name)
    logits, updates = predictors.apply(
        parameters._asdict(), features, train=True, mutable=["batch_stats"]
    )
    return logits.astype(jnp.float32), updates["batch_stats"]
