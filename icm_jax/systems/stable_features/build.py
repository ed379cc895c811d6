"""Stable features: classifiers that do without a channel that tells the label in training only.

Methods: see `direct` for those of one phase and `tofu` for TOFU.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from icm_jax import streams
from icm_jax.data import Splits, group
from icm_jax.streams import HostStream
from icm_jax.system import System
from icm_jax.systems.stable_features import direct, evaluation, tofu
from icm_jax.systems.stable_features.channels import Task, tasks
from icm_jax.systems.stable_features.method import Parts
from icm_jax.systems.stable_features.model import make_apply_batched, make_model


def build_seeds(
    config: ConfigDict, splits: Splits, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config (see `icm_jax.systems.stable_features.config`), one a seed.

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
    model = make_model(config, task.classes, task.channels, axis_name)
    parts = Parts(config, task, model, make_apply_batched(model), axis_name)
    method = tofu if config.method == "tofu" else direct
    shared = System(
        name=config.system,
        init=functools.partial(method.init, parts),
        phases=method.phases(parts),
        data={},
        shared={"images": task.train.images},
        evaluate=functools.partial(evaluation.evaluate, config, parts.apply_batched),
        figures=functools.partial(evaluation.draw_figures, config),
        headline=evaluation.headline,
    )
    return tuple(
        shared._replace(
            data=_data(config, task, seed), evaluate=functools.partial(shared.evaluate, task)
        )
        for task, seed in zip(made, seeds, strict=True)
    )


def _data(config: ConfigDict, task: Task, seed: int) -> dict[str, Any]:
    """What training is given: no true label is among it."""
    seen = task.train.attributes
    count = len(task.train.labels)
    chance = streams.on_host(seed, HostStream.HELD_OUT).uniform(size=count)
    held_out = chance < config.selection.fraction
    _check_held_out(config, task, held_out)
    data = {
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
        numbers, groups = direct.groups_of(config.method, task)
        data["group"] = numbers.astype(np.int32)
        data["groups"] = group(np.where(held_out, -1, numbers), groups)
    if config.selection.by == "validation":
        part = task.validation
        data["validation"] = {"images": part.images, **part.attributes}
    return data


def _check_held_out(config: ConfigDict, task: Task, held_out: np.ndarray) -> None:
    """Refuses a fraction that leaves nothing to train on, or nothing to select by."""
    fraction = config.selection.fraction
    learns_source = config.method in ("irm", "tofu")
    environment_of = task.train.attributes["environment"]
    for environment in {*task.target, *(task.source if learns_source else ())}:
        here = held_out[environment_of == environment]
        if here.all():
            raise ValueError(
                f"selection.fraction: {fraction} holds out all {len(here)} train images of "
                f"environment {environment}; choose less, or data with more images"
            )
    wanted = held_out[np.isin(environment_of, task.target)]
    if config.selection.by == "worst_group" and not wanted.any():
        raise ValueError(
            f"selection.fraction: {fraction} holds out none of {len(wanted)} train images; "
            "choose more, or data with more images"
        )
