"""Joins a config with its data, its system, the loop and the report."""

import hashlib
import json
import os
from pathlib import Path

from ml_collections import ConfigDict

from icm_jax import config as configs
from icm_jax import data
from icm_jax.report import html
from icm_jax.system import System
from icm_jax.systems import icm
from icm_jax.training import AXIS, Result, evaluate, train

MODES = ("train", "evaluate")


def build(config: ConfigDict, splits: data.Splits | None = None) -> System:
    """The system of a config, on the data it names or on `splits`.

    Raises:
      ValueError: for a config that cannot run, naming the field, the value and what is allowed.
      FileNotFoundError: if the data are not there.
    """
    configs.validate(config)
    if splits is None:
        splits = data.load(config.data)
    return icm.build(config, splits, AXIS)


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
      The run's `summary` (as in `summary.json`) and final state.

    Raises:
      ValueError: for a config or mode that cannot run.
      WorkdirError, CheckpointError, NotFinite, Interrupted: see `icm_jax.training.train`.
    """
    if mode not in MODES:
        raise ValueError(f"mode: {mode!r} is unknown; choose one of {', '.join(MODES)}")
    system = build(config, splits)
    common = {
        "seed": config.seed,
        "config": configs.to_dict(config),
        "keep": config.checkpoint.keep,
        "write_report": html.write,
    }
    if mode == "evaluate":
        return evaluate(system, workdir, **common)
    return train(
        system,
        workdir,
        log_every=config.log.every,
        evaluate_every=config.evaluation.every,
        checkpoint_every=config.checkpoint.every,
        **common,
    )


def default_workdir(config: ConfigDict, name: str) -> Path:
    """`runs/<name>-<digest of the config>`: the same command finds its own run again."""
    text = json.dumps(configs.to_dict(config), sort_keys=True)
    return Path("runs") / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
