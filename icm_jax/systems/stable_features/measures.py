"""How right a classifier is, group by group: channels, cells of label and channel, clusters."""

from collections.abc import Mapping

import numpy as np

from icm_jax.evaluation.groups import group_mean


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Loss of every example, float64 `[N]`, of logits `[N, L]` and labels int `[N]`."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    normal = np.log(np.exp(shifted).sum(axis=1))
    return normal - shifted[np.arange(len(labels)), labels]


def worst_group(
    correct: np.ndarray, group: np.ndarray, label: np.ndarray, groups: int, least: int
) -> float:
    """Accuracy in the worst group; groups that are too small are judged together.

    The accuracy in a handful of examples says little, and the worst of many such numbers says
    nothing. So the examples of a label's groups smaller than `least` form one group, and where
    that is too small as well, those of all such labels do.

    Args:
      correct: bool `[N]`, of at least one example.
      group: int `[N]`, 0 to G - 1.
      label: int `[N]`, 0 to L - 1.
      groups: G.
      least: size from which on a group counts by itself.
    """
    together = np.where(_size(group) < least, groups + label, group)
    rest = groups + int(label.max()) + 1
    together = np.where(_size(together) < least, rest, together)
    return float(np.nanmin(group_mean(correct.astype(float), together, rest + 1)))


def _size(group: np.ndarray) -> np.ndarray:
    """How many examples the group of each has, int `[N]`."""
    return np.bincount(group)[group]


def measure(
    logits: np.ndarray, labels: np.ndarray, channel: np.ndarray, channels: int
) -> dict[str, object]:
    """Accuracy and loss: overall, in every channel, and in the worst cell of label and channel.

    Args:
      logits: `[N, L]`.
      labels: int `[N]`, the labels to be right about.
      channel: int `[N]`, 0 to `channels` - 1.
      channels: C.

    Returns:
      `accuracy`, `loss`; `per_channel`, both as lists `[C]`, NaN where there is no image;
      `worst_cell`, its `label`, `channel`, `accuracy` and `loss`, the worst by accuracy;
      `cells`, accuracy `[L][C]`.
    """
    classes = logits.shape[1]
    correct = (logits.argmax(axis=1) == labels).astype(float)
    losses = cross_entropy(logits, labels)
    cell, cells = labels * channels + channel, classes * channels
    accuracies, cell_losses = (group_mean(values, cell, cells) for values in (correct, losses))
    worst = int(np.nanargmin(accuracies))
    return {
        "accuracy": float(correct.mean()),
        "loss": float(losses.mean()),
        "per_channel": {
            "accuracy": group_mean(correct, channel, channels).tolist(),
            "loss": group_mean(losses, channel, channels).tolist(),
        },
        "worst_cell": {
            "label": worst // channels,
            "channel": worst % channels,
            "accuracy": float(accuracies[worst]),
            "loss": float(cell_losses[worst]),
        },
        "cells": accuracies.reshape(classes, channels).tolist(),
    }


def measure_part(
    logits: np.ndarray,
    true: np.ndarray,
    given: np.ndarray,
    channel: np.ndarray,
    channels: int,
) -> Mapping[str, dict]:
    """`measure` on `true` labels and, where there are any, on the `given` ones (not negative).

    Args:
      logits: `[N, L]`.
      true: int `[N]`.
      given: int `[N]`, negative where there is none.
      channel: int `[N]`, 0 to `channels` - 1.
      channels: C.
    """
    found = {"true": measure(logits, true, channel, channels)}
    known = given >= 0
    if known.any():
        found["given"] = measure(logits[known], given[known], channel[known], channels)
    return found
