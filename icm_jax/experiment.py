"""Joins a config with its data, its system, the loop and the report."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from ml_collections import ConfigDict

from icm_jax import config as configs
from icm_jax import data
from icm_jax.report import html
from icm_jax.system import System
from icm_jax.systems import icm, stable_features
from icm_jax.training import AXIS, Result, Seeded, evaluate, train

MODES = ("train", "evaluate")

# Of each system `build_seeds(config, splits, seeds, axis_name)` and `describe(summary)`.
_SYSTEMS = {"icm": icm, "oracle": icm, "classification": icm, "stable_features": stable_features}


def build(config: ConfigDict, splits: data.Splits | None = None) -> tuple[System, ...]:
    """The systems of a config, one a seed, on the data it names or on `splits`.

    Raises:
      ValueError: for a config that cannot run, naming the field, the value and what is allowed.
      FileNotFoundError: if the data are not there.
    """
    configs.validate(config)
    if splits is None:
        splits = data.load(config.data)
    return _SYSTEMS[config.system].build_seeds(config, splits, _seeds(config), AXIS)


def describe(summary: Mapping) -> str:
    """What the run of a summary (as in `summary.json`) came to, in a line."""
    return _SYSTEMS[summary["system"]].describe(summary)


def run(
    config: ConfigDict,
    workdir: str | os.PathLike,
    mode: str = "train",
    splits: data.Splits | None = None,
) -> Result:
    """Trains a config in a folder, or evaluates what was trained there.

    Args:
      config: such as `icm_jax.config.icm()`, with any field changed.
      workdir: the run's folder; a run that was interrupted goes on where it stopped.
      mode: 'train', which ends with an evaluation, or 'evaluate', for a finished folder.
      splits: images to train and test on; those that `config.data` names by default.

    Returns:
      The run's `summary` (as in `summary.json`) and final state; those of all seeds, with a table,
      where `config.replicas` asks for several.

    Raises:
      ValueError: for a config or mode that cannot run.
      WorkdirError, CheckpointError, NotFinite, Interrupted: see `icm_jax.training.train`.
    """
    if mode not in MODES:
        raise ValueError(f"mode: {mode!r} is unknown; choose one of {', '.join(MODES)}")
    runs = [
        Seeded(system, seed, configs.to_dict(config) | {"seed": seed, "replicas": 1})
        for system, seed in zip(build(config, splits), _seeds(config), strict=True)
    ]
    common = {
        "config": configs.to_dict(config),
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


def _seeds(config: ConfigDict) -> range:
    return range(config.seed, config.seed + config.replicas)


def default_workdir(config: ConfigDict, name: str) -> Path:
    """`runs/<name>-<digest of the config>`: the same command finds its own run again."""
    return Path("runs") / f"{name}-{digest(config)}"


def digest(config: ConfigDict) -> str:
    """Eight characters that differ where a field of the config differs."""
    text = json.dumps(configs.to_dict(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
