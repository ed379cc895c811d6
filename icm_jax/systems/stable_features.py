"""Stable features: classifiers that do without a channel that tells the label in training only.

Methods: see `stable_direct` for those of one phase and `stable_tofu` for TOFU.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from icm_jax.data import Splits, Task, group, tasks
from icm_jax.system import System
from icm_jax.systems import stable_direct, stable_evaluation, stable_tofu
from icm_jax.systems.stable_model import make_model, make_put_through


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config (see `icm_jax.config.stable_features`), one a seed.

    A seed decides upon what is random in the task and which training images are held out.

    Args:
      config: a validated config.
      splits: grey images, all classes.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: the task cannot be made of these images.
      FileNotFoundError: `config.data.assignment` names no file.
    """
    made = tasks(config.data, splits, seeds)
    task = made[0]
    shape = task.train.images.shape[1:]
    model = make_model(config, task.classes, task.channels, axis_name)
    put_through = make_put_through(model)
    method = stable_tofu if config.method == "tofu" else stable_direct
    shared = System(
        name=config.system,
        init=functools.partial(method.init, config, task, model, shape),
        phases=method.phases(config, task, model, put_through, axis_name),
        data={},
        evaluate=stable_evaluation.make_evaluate(config, put_through),
        figures=functools.partial(stable_evaluation.draw_figures, config),
        headline=stable_evaluation.headline,
    )
    return tuple(
        shared._replace(
            data=_data(config, task, seed), evaluate=functools.partial(shared.evaluate, task)
        )
        for task, seed in zip(made, seeds, strict=True)
    )


def describe(summary: Mapping[str, Any]) -> str:
    """What a run came to, in a line."""
    accuracy = summary["accuracy"]
    return (
        f"{summary['method']}: accuracy {_percent(accuracy['validation_given'])} validation, given "
        f"labels; {_percent(accuracy['test_true'])} test, true labels; "
        f"{_percent(accuracy['worst_cell_true'])} in its worst cell"
    )


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}"


def _data(config: ConfigDict, task: Task, seed: int) -> dict[str, Any]:
    """What training is given: no true label is among it."""
    seen = task.train.attributes
    count = len(task.train.labels)
    # A stream apart from that of the task.
    chance = np.random.RandomState([seed, 1]).uniform(size=count)
    held_out = chance < config.selection.fraction
    data = {
        "images": task.train.images,
        "given": seen["given"],
        "channel": seen["channel"],
        "environment": seen["environment"],
        "held_out": held_out,
    }
    if config.method == "tofu":
        numbers = np.where(held_out, -1, seen["environment"])
        data["environments"] = tuple(
            group(np.where(numbers == environment, 0, -1), 1) for environment in task.source
        )
    else:
        numbers, groups = stable_direct.groups_of(config.method, task)
        data["group"] = numbers.astype(np.int32)
        data["groups"] = group(np.where(held_out, -1, numbers), groups)
    if config.selection.by == "validation":
        part = task.validation
        data["validation"] = {"images": part.images, **part.attributes}
    return data
