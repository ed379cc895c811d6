"""The methods of stable features that learn the target task at once, in one phase.

What they are told: `erm` and `oracle` the images and their given labels, which for the oracle lie
in no channel; `balanced` and `group_dro` the channels too, as a label apart from the image; `irm`
the environments, those of the source task too where it is another one.
"""

import jax
import numpy as np
from ml_collections import ConfigDict

from icm_jax.objectives import group_dro, irm
from icm_jax.supervised import Objective, mean_loss
from icm_jax.system import Phase
from icm_jax.systems.stable_features.channels import Task
from icm_jax.systems.stable_features.method import Parts
from icm_jax.systems.stable_features.model import make_optimizer
from icm_jax.systems.stable_features.state import (
    Data,
    State,
    held_out_score,
    init_state,
    validation_score,
    with_selection,
)
from icm_jax.systems.stable_features.steps import draw_from_all, make_step


def groups_of(method: str, task: Task) -> tuple[np.ndarray, int]:
    """The groups that a method learns from, and is chosen by the worst of.

    Returns:
      The group of every training image, int `[N]`, -1 where the method does not use it, and how
      many groups there are.
    """
    seen = task.train.attributes
    if method == "irm":
        return seen["environment"], len(set(task.source) | set(task.target))
    if method in ("balanced", "group_dro"):
        number = seen["given"] * task.channels + seen["channel"]
        count = task.classes * task.channels
    else:
        number, count = np.zeros_like(seen["given"]), 1
    return np.where(np.isin(seen["environment"], task.target), number, -1), count


def init(parts: Parts, key: jax.Array) -> State:
    """The state before the first step."""
    config = parts.config
    optimizer = make_optimizer(config.optimizer, config.steps)
    _, count = groups_of(config.method, parts.task)
    return init_state(parts.model.init(key, parts.image_shape), optimizer, count)


def phases(parts: Parts) -> tuple[Phase]:
    """The one phase, 'training', of a method."""
    config = parts.config
    _, count = groups_of(config.method, parts.task)
    draw = draw_from_all(lambda state, data: data["groups"], config.batch_size)
    optimizer = make_optimizer(config.optimizer, config.steps)
    objective = _objective(config, count, parts.axis_name)
    step = make_step(parts.model, optimizer, draw, objective, parts.axis_name)
    by_groups = held_out_score(parts.apply_batched, config)

    def worst_group(state: State, data: Data) -> float:
        index = np.flatnonzero(data["held_out"] & (data["group"] >= 0))
        return by_groups(state.learner.parameters, data, index, data["group"][index], count)

    by_validation = config.selection.by == "validation"
    score = validation_score(parts.apply_batched) if by_validation else worst_group
    return (with_selection(Phase("training", config.steps, step), score, config),)


def _objective(config: ConfigDict, groups: int, axis_name: str | None) -> Objective:
    if config.method == "group_dro":
        return group_dro(config.group_dro, groups, axis_name)
    if config.method == "irm":
        return irm(config.irm, config.batch_size, groups, axis_name)
    return mean_loss(config.batch_size)
