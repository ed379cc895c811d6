"""Joins a config with its data, its system, the loop and the report."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from icm_jax.config import digest, to_dict
from icm_jax.report import html
from icm_jax.system import System
from icm_jax.systems import registry
from icm_jax.training import AXIS, Result, Seeded, evaluate, train

MODES = ("train", "evaluate")


def build(config: ConfigDict, data: Any = None) -> tuple[System, ...]:
    """The systems of a config, one a seed, on the data it names or on `data`.

    Args:
      config: see `icm_jax.default_config`.
      data: as the system's `load` gives them (`icm_jax.Splits` of images, say); those that the
        config names where it is None.

    Raises:
      ValueError: for a config that cannot run, naming the field, the value and what is allowed.
      FileNotFoundError: if the data are not there.
    """
    registry.validate(config)
    kind = registry.kind_of(config)
    if data is None:
        data = kind.load(config)
    return kind.build(config, data, _seeds(config), AXIS)


def describe(summary: Mapping[str, Any]) -> str:
    """What the run of a summary (as in `summary.json`) came to, in a line."""
    return registry.kind_of(summary).story(summary).sentence


def run(
    config: ConfigDict, workdir: str | os.PathLike, mode: str = "train", data: Any = None
) -> Result:
    """Trains a config in a folder, or evaluates what was trained there.

    Args:
      config: such as `icm_jax.default_config("icm")`, with any field changed.
      workdir: the run's folder; a run that was interrupted goes on where it stopped.
      mode: 'train', which ends with an evaluation, or 'evaluate', for a finished folder.
      data: see `build`.

    Returns:
      The run's `summary` (as in `summary.json`) and final state; those of all seeds, with a table,
      where `config.replicas` asks for several.

    Raises:
      ValueError: for a config or mode that cannot run.
      FileNotFoundError: if the data are not there.
      WorkdirError, CheckpointError, NotFinite, Interrupted: see `icm_jax.training.train`.
    """
    if mode not in MODES:
        raise ValueError(f"mode: {mode!r} is unknown; choose one of {', '.join(MODES)}")
    runs = [
        Seeded(system, seed, to_dict(config) | {"seed": seed, "replicas": 1})
        for system, seed in zip(build(config, data), _seeds(config), strict=True)
    ]
    common = {
        "config": to_dict(config),
        "keep": config.checkpoint.keep,
        "write_report": html.write,
    }
    if mode == "evaluate":
        return evaluate(runs, workdir, **common)
    return train(
        runs,
        workdir,
        log_every=config.log.every,
        evaluate_every=config.evaluation.every,
        checkpoint_every=config.checkpoint.every,
        **common,
    )


def default_workdir(config: ConfigDict, name: str) -> Path:
    """`runs/<name>-<digest of the config>`: the same command finds its own run again."""
    return Path("runs") / f"{name}-{digest(config)}"


def _seeds(config: ConfigDict) -> range:
    return range(config.seed, config.seed + config.replicas)
