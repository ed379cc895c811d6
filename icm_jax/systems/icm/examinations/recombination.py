"""Recombination: two banks that never met are put together, beside one that learned all at once.

Each bank learns half of a run's mechanisms, with another seed and on other halves of the images.
The experts are not trained again; who judges all of them is the question.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import data, mechanisms
from icm_jax.config import from_workdir
from icm_jax.data import Splits
from icm_jax.schema import Field, Schema, at_least, check_settings, one_of
from icm_jax.systems.icm import banks, restore
from icm_jax.systems.icm.banks import Bank
from icm_jax.systems.icm.examinations.figures import draw_ways
from icm_jax.systems.icm.examinations.trained import (
    ask_judge,
    known_canonical,
    mean_accuracy,
    measure_bank,
    restorer_of,
    train_bank,
)
from icm_jax.training.workdir import plain

SETTINGS = Schema(
    {
        "kind": Field("recombination", one_of(("recombination",)), "the examination"),
        "images": Field(200, at_least(1), "test images under each mechanism"),
        "steps": Field(1000, at_least(0), "steps of the competition of each bank"),
        "discriminator_steps": Field(200, at_least(0), "steps of a new discriminator"),
        "together": Field(50, at_least(0), "steps of competition of both banks together"),
    }
)
ONE = "one bank of all"
_FIRST_SEED = 1000  # of the banks, apart from those of runs


def examine(workdir: str | os.PathLike, settings: ConfigDict) -> dict[str, Any]:
    """Trains two banks of half of a run's mechanisms each, and measures them put together.

    Args:
      workdir: of the run, one seed; the banks are trained in its folder `examined`.
      settings: see `SETTINGS`.

    Returns:
      JSON values: `seed`, `mechanisms`, `half` (0 or 1, which bank learned each), and `ways`,
      name -> `accuracy` by mechanism and how many are `identified`.

    Raises:
      ValueError: a setting is not allowed.
      ValueError, WorkdirError, CheckpointError: as `icm_jax.restore.load` and `data.load` do.
    """
    check_settings(settings, SETTINGS)
    config, whole = from_workdir(workdir), restore.load(workdir)
    check_halves(config)
    splits = data.load(config.data)
    asked = ask_judge(workdir, config, whole, splits, settings.images)
    trained = [train_half(workdir, config, splits, half, settings.steps) for half in (0, 1)]
    parts = [restorer_of(bank) for bank in trained]
    merged = {
        "first's discriminator": banks.merge(parts, 0),
        "second's discriminator": banks.merge(parts, 1),
        "mean of both": banks.merge(parts, "mean"),
    }
    if settings.discriminator_steps:
        canonical = known_canonical(config, splits)
        merged["new discriminator"] = banks.learn_discriminator(
            merged["mean of both"], canonical, settings.discriminator_steps
        )
    if settings.together:
        both = put_together(trained, config, settings.together)
        name = f"together_after_{settings.steps}"
        met = train_bank(workdir, name, both.config, splits, both.begin)
        merged[f"after {settings.together} steps together"] = restorer_of(met)
    ways = {ONE: whole, **merged}
    names = [mechanisms.label(spec) for spec in config.mechanisms]
    return plain(
        {
            "seed": config.seed,
            "mechanisms": names,
            "half": half_of_each(len(names)),
            "ways": {
                way: measure_bank(restorer, config.mechanisms, asked).said()
                for way, restorer in ways.items()
            },
        }
    )


def train_half(
    workdir: str | os.PathLike, config: ConfigDict, splits: Splits, half: int, steps: int
) -> Bank:
    """The bank of `half_config`, trained in the folder of a run."""
    config = half_config(config, half, steps)
    return train_bank(workdir, f"half_{half}", config, splits)


def check_halves(config: ConfigDict) -> None:
    """Raises ValueError if there are not mechanisms enough for two halves."""
    if len(config.mechanisms) < 2:
        raise ValueError(
            f"mechanisms: {len(config.mechanisms)} is not enough; the run must have 2 or more"
        )


def half_of_each(mechanisms: int) -> list[int]:
    """In which half each of a run's mechanisms is, 0 or 1; see `half_config`."""
    return [number % 2 for number in range(mechanisms)]


def half_config(config: ConfigDict, half: int, steps: int) -> ConfigDict:
    """The config of a bank of every other mechanism of a run, an expert each.

    Args:
      config: of the run.
      half: 0, from the first mechanism on, or 1.
      steps: of its competition.
    """
    config = config.copy_and_resolve_references()
    config.mechanisms = tuple(config.mechanisms[half::2])
    config.mixture = tuple(config.mixture[half::2])
    config.experts.count = len(config.mechanisms)
    config.competition.steps = steps
    config.seed = (_FIRST_SEED + 2 * config.seed + half) % 2**32
    return config


def put_together(trained: Sequence[Bank], config: ConfigDict, steps: int) -> Bank:
    """The experts of all banks, to compete under the first one's discriminator.

    Args:
      trained: the banks.
      config: of a run of all mechanisms.
      steps: of the competition.
    """
    config = config.copy_and_resolve_references()
    config.experts.count = sum(bank.config.experts.count for bank in trained)
    config.competition.steps = steps
    state = banks.merge_states([bank.state for bank in trained])
    return Bank(config, state, trained[0].shape)


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The headline: mean accuracies in [0, 1] and mechanisms identified, of each way."""
    result = {f"accuracy, {way}": mean_accuracy(of) for way, of in found["ways"].items()}
    return result | {f"identified, {way}": of["identified"] for way, of in found["ways"].items()}


def tables(
    found: Sequence[Mapping[str, Any]],
) -> dict[str, tuple[list[str], list[list[str | float]]]]:
    """Means over the seeds: a row a way."""
    rows = [
        [
            way,
            float(np.mean([mean_accuracy(run["ways"][way]) for run in found])),
            float(np.mean([np.min(run["ways"][way]["accuracy"]) for run in found])),
            float(np.mean([run["ways"][way]["identified"] for run in found])),
        ]
        for way in found[0]["ways"]
    ]
    return {"ways": (["bank", "accuracy", "least accuracy", "identified"], rows)}


def figures(found: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Draws the accuracy of each way, mechanism by mechanism."""
    return {"ways": draw_ways(found, "Two banks that never met, put together")}
