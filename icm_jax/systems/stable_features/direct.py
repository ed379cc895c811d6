"""The methods of stable features that learn the target task at once, in one phase.

What they are told: `erm` and `oracle` the images and their given labels, which for the oracle lie
in no channel; `balanced` and `group_dro` the channels too, as a label apart from the image; `irm`
the environments, those of the source task too where it is another one.
"""

import jax
import numpy as np
from ml_collections import ConfigDict

from icm_jax.system import Phase
from icm_jax.systems.stable_features import steps as stable_steps
from icm_jax.systems.stable_features.channels import Task
from icm_jax.systems.stable_features.model import Model, PutThrough, make_optimizer
from icm_jax.systems.stable_features.state import (
    Data,
    State,
    fresh,
    held_out_score,
    observed,
    validation_score,
)


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
        number, count = (
            seen["given"] * task.channels + seen["channel"],
            task.classes * task.channels,
        )
    else:
        number, count = np.zeros_like(seen["given"]), 1
    return np.where(np.isin(seen["environment"], task.target), number, -1), count


def phases(
    config: ConfigDict,
    task: Task,
    model: Model,
    put_through: PutThrough,
    axis_name: str | None,
) -> tuple[Phase]:
    """The one phase, 'training', of a method."""
    _, count = groups_of(config.method, task)
    size = config.batch_size
    objective = {
        "group_dro": lambda: stable_steps.group_dro(config.group_dro, count, axis_name),
        "irm": lambda: stable_steps.irm(config.irm, size, count, axis_name),
    }.get(config.method, lambda: stable_steps.mean(size))()
    draw = stable_steps.balanced(lambda state, data: data["groups"], size)
    optimizer = make_optimizer(config.optimizer, config.steps)
    step = stable_steps.make_step(model, optimizer, draw, objective, axis_name)
    by_groups = held_out_score(put_through, config)

    def worst_group(state: State, data: Data) -> float:
        index = np.flatnonzero(data["held_out"] & (data["group"] >= 0))
        return by_groups(state.learner.parameters, data, index, data["group"][index], count)

    score = validation_score(put_through) if config.selection.by == "validation" else worst_group
    return (observed(Phase("training", config.steps, step), score, config),)


def init(
    config: ConfigDict, task: Task, model: Model, shape: tuple[int, ...], key: jax.Array
) -> State:
    """The state before the first step, for images of a shape `(H, W, 1)`."""
    optimizer = make_optimizer(config.optimizer, config.steps)
    _, count = groups_of(config.method, task)
    return fresh(model.init(key, shape), optimizer, count)
