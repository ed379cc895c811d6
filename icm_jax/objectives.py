"""What classifiers that should ignore a channel minimise: pure functions of per-example losses.

B examples fall into G groups (cells of label and channel, environments, clusters). Sums over the
batch go over all devices (`axis_name`), of which each has its share b of the batch; a value to
differentiate is the device's share of it, so that the sum of the gradients is the gradient.
"""

import chex
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from icm_jax import collectives
from icm_jax.supervised import Loss, Objective
from icm_jax.system import Mean


def group_means(
    losses: jax.Array, group: jax.Array, groups: int, axis_name: str | None = None
) -> tuple[jax.Array, jax.Array]:
    """Mean loss of every group, float32 `[G]` (0 where it has no example), and counts `[G]`.

    Args:
      losses: float32 `[b]`.
      group: int32 `[b]`, 0 to G - 1.
      groups: G.
      axis_name: device axis, or None.
    """
    chex.assert_rank([losses, group], 1)
    chex.assert_equal_shape([losses, group])
    ones = jnp.ones_like(losses)
    sums = [jax.ops.segment_sum(values, group, groups) for values in (losses, ones)]
    total, count = collectives.psum(sums, axis_name)
    return total / jnp.maximum(count, 1), count


def group_dro_weights(
    weights: jax.Array, means: jax.Array, counts: jax.Array, rate: float
) -> jax.Array:
    """The groups' weights after a step: those of a high loss grow (Sagawa et al. 2020, alg. 1).

    q_g <- q_g exp(rate * loss_g), normalised; a group without an example keeps its weight but for
    the normalisation.

    Args:
      weights: q, float32 `[G]`, sum 1.
      means: loss of each group, `[G]`.
      counts: examples of each group in the batch, `[G]`.
      rate: step size; 0 leaves the weights.
    """
    chex.assert_rank(weights, 1)
    chex.assert_equal_shape([weights, means, counts])
    raised = weights * jnp.exp(rate * jnp.where(counts > 0, means, 0.0))
    return raised / raised.sum()


def weighted_groups(
    losses: jax.Array, group: jax.Array, weights: jax.Array, counts: jax.Array
) -> jax.Array:
    """This device's share of the sum over groups of weight times mean loss, `[]`.

    Args:
      losses: float32 `[b]`.
      group: int32 `[b]`.
      weights: `[G]`, taken as constants.
      counts: examples of each group on all devices, `[G]`.
    """
    chex.assert_rank([losses, weights], 1)
    chex.assert_equal_shape([losses, group])
    chex.assert_equal_shape([weights, counts])
    each = jax.lax.stop_gradient(weights) / jnp.maximum(counts, 1)
    return (each[group] * losses).sum()


def irm_penalty(
    logits: jax.Array,
    labels: jax.Array,
    group: jax.Array,
    groups: int,
    axis_name: str | None = None,
) -> tuple[jax.Array, jax.Array]:
    """IRMv1: how far each environment would move a scale of the logits (Arjovsky et al. 2019).

    The penalty is the sum over environments e of D_e^2, D_e being the derivative of the mean
    cross-entropy of s * logits with respect to s at s = 1.

    Args:
      logits: `[b, L]`.
      labels: int32 `[b]`.
      group: int32 `[b]`, the environment of each.
      groups: number of environments.
      axis_name: device axis, or None.

    Returns:
      What to differentiate, this device's share (its gradient is that of the penalty, its value
      twice the share), and the penalty.
    """
    chex.assert_rank(logits, 2)
    chex.assert_shape([labels, group], (len(logits),))

    def loss(scale):
        return optax.softmax_cross_entropy_with_integer_labels(scale * logits, labels)

    _, each = jax.jvp(loss, (jnp.float32(1),), (jnp.float32(1),))  # [b]
    slopes, counts = group_means(jax.lax.stop_gradient(each), group, groups, axis_name)
    return 2 * weighted_groups(each, group, slopes, counts), jnp.square(slopes).sum()


def group_dro(config: ConfigDict, groups: int, axis_name: str | None) -> Objective:
    """The groups' mean losses by weights that follow them (Sagawa et al. 2020).

    A state has `weights` of the groups, float32 `[G]`.

    Args:
      config: `rate`, the weights' step size.
      groups: G.
      axis_name: device axis, or None.
    """

    def objective(state, scores):
        losses = jax.lax.stop_gradient(scores.losses)
        means, counts = group_means(losses, scores.group, groups, axis_name)
        weights = group_dro_weights(state.weights, means, counts, config.rate)
        value = weighted_groups(scores.losses, scores.group, weights, counts)
        largest = jnp.where(counts > 0, means, -jnp.inf).max()
        metrics = {
            "worst_group_loss": Mean(largest, jnp.float32(1)),
            "largest_weight": Mean(weights.max(), jnp.float32(1)),
        }
        return Loss(value, weights, metrics)

    return objective


def irm(config: ConfigDict, batch_size: int, groups: int, axis_name: str | None) -> Objective:
    """The mean loss and the penalty of invariant risk minimisation (Arjovsky et al. 2019).

    The penalty counts 1 for the first `config.after` steps and `config.penalty` from then on; a
    factor above 1 divides the whole, so that the gradient keeps its size. A state has `steps`,
    those before this one, int32 `[]`.

    Args:
      config: `penalty` and `after`.
      batch_size: images of a step, on all devices.
      groups: number of environments.
      axis_name: device axis, or None.
    """

    def objective(state, scores):
        surrogate, penalty = irm_penalty(
            scores.logits, scores.labels, scores.group, groups, axis_name
        )
        factor = jnp.where(state.steps < config.after, 1.0, config.penalty)
        value = (scores.losses.sum() / batch_size + factor * surrogate) / jnp.maximum(factor, 1.0)
        return Loss(value, None, {"penalty": Mean(penalty, jnp.float32(1))})

    return objective


def triplet_losses(positive: jax.Array, negative: jax.Array, margin: float) -> jax.Array:
    """Losses of all triples of two right examples and a mistaken one (Bao et al. 2022, eq. 4).

    Two images that a classifier of another environment got right are alike in what is unstable,
    and unlike one that it mistook. Entry i, j is max(0, margin + |p_i - p_j|^2 - |p_j - n_i|^2):
    as published, the mistaken example has the index of the first right one.

    Args:
      positive: embeddings of right examples, `[n, F]`.
      negative: embeddings of mistaken ones, `[n, F]`.
      margin: 0.3 in the published code.

    Returns:
      float32 `[n, n]`, entry i, j.
    """
    chex.assert_rank([positive, negative], 2)
    chex.assert_equal_shape([positive, negative])
    near = _squared_distances(positive, positive)
    far = _squared_distances(negative, positive)
    return jax.nn.relu(margin + near - far)


def _squared_distances(a: jax.Array, b: jax.Array) -> jax.Array:
    """`[n, F]`, `[m, F]` -> `[n, m]`; by the differences, so that equal ones are at exactly 0."""
    return jnp.square(a[:, None] - b[None]).sum(axis=-1)
