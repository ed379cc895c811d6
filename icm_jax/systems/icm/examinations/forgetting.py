"""Forgetting: half of the mechanisms are learned, then the others come, and the first no more.

New experts learn what comes; those that were there compete, or are frozen. Beside them one network
of the size of all, taught by true pairs, is trained on. Then one mechanism of a finished run stays
away for a while.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import data, mechanisms
from icm_jax.config import from_workdir
from icm_jax.data import Splits
from icm_jax.schema import Field, Schema, at_least, check_settings, one_of
from icm_jax.systems.icm import banks, restore
from icm_jax.systems.icm.banks import Bank
from icm_jax.systems.icm.build import build_oracle
from icm_jax.systems.icm.examinations.figures import draw_ways
from icm_jax.systems.icm.examinations.recombination import (
    check_halves,
    half_config,
    half_of_each,
    train_half,
)
from icm_jax.systems.icm.examinations.trained import (
    ask_judge,
    measure_bank,
    restorer_of,
    train_bank,
    train_part,
)
from icm_jax.systems.icm.restore import Restorer
from icm_jax.training.workdir import plain

_WHOLE = "the whole bank"
SETTINGS = Schema(
    {
        "kind": Field("forgetting", one_of(("forgetting",)), "the examination"),
        "images": Field(200, at_least(1), "test images under each mechanism"),
        "steps": Field(1000, at_least(0), "steps of the competition for the first half"),
        "more": Field(1000, at_least(0), "steps of what learns the second half"),
        "filters": Field(72, at_least(0), "of one network in place of all experts; 0: none"),
        "away": Field(500, at_least(0), "steps without the mechanism that is gone; 0: none"),
        "gone": Field(0, at_least(0), "number of the mechanism that stays away"),
    }
)


def examine(workdir: str | os.PathLike, settings: ConfigDict) -> dict[str, Any]:
    """Lets experts learn one half of a run's mechanisms after the other, and measures both.

    Args:
      workdir: of the run, one seed; what is trained lies in its folder `examined`.
      settings: see `SETTINGS`.

    Returns:
      JSON values: `seed`, `mechanisms`, `half` (0 for those that come first, 1), `gone` (a name),
      and `ways`, name -> `accuracy` by mechanism and how many are `identified`.

    Raises:
      ValueError: a setting is not allowed.
      ValueError, WorkdirError, CheckpointError: as `icm_jax.restore.load` and `data.load` do.
    """
    check_settings(settings, SETTINGS)
    config, whole = from_workdir(workdir), restore.load(workdir)
    names = [mechanisms.label(spec) for spec in config.mechanisms]
    if settings.gone >= len(names):
        raise ValueError(
            f"gone: {settings.gone} is not allowed; it must be below {len(names)}, the mechanisms"
        )
    check_halves(config)
    splits = data.load(config.data)
    asked = ask_judge(workdir, config, whole, splits, settings.images)
    first = train_half(workdir, config, splits, 0, settings.steps)
    ways = {"experts, first half": restorer_of(first)}
    for name, frozen in (("compete", False), ("frozen", True)):
        grown = grow(first, config, settings.more, frozen)
        of = f"{name}_after_{settings.steps}"
        learned = train_bank(workdir, of, grown.config, splits, grown.begin)
        ways[f"new experts beside, old {name}"] = restorer_of(learned)
    if settings.filters:
        ways |= _train_network(workdir, config, splits, settings, whole.padded_shape)
    if settings.away:
        ways[_WHOLE] = whole
        for name, restarts in (("with", True), ("without", False)):
            bank = leave_out(banks.load(workdir), settings.gone, settings.away, restarts)
            of = f"away_{name}_restarts"
            later = train_bank(workdir, of, bank.config, splits, bank.begin)
            ways[f"one away, {name} restarts"] = restorer_of(later)
    measured = {name: measure_bank(r, config.mechanisms, asked) for name, r in ways.items()}
    return plain(
        {
            "seed": config.seed,
            "mechanisms": names,
            "half": half_of_each(len(names)),
            "gone": names[settings.gone],
            "ways": {name: of.said() for name, of in measured.items()},
        }
    )


def grow(first: Bank, config: ConfigDict, steps: int, frozen: bool) -> Bank:
    """A bank of the first half that learns the second half of a run's mechanisms, with new experts.

    Args:
      first: see `recombination.half_config`.
      config: of the run.
      steps: of the competition.
      frozen: whether the first experts only compete.
    """
    second = half_config(config, 1, steps)
    config = first.config.copy_and_resolve_references()
    config.mechanisms, config.mixture = second.mechanisms, second.mixture
    config.competition.steps = steps
    bank = first._replace(config=config)
    return banks.add_experts(bank, second.experts.count, frozen, seed=second.seed)


def leave_out(bank: Bank, number: int, steps: int, restarts: bool) -> Bank:
    """A bank that goes on without one of its mechanisms.

    Args:
      bank: of a run.
      number: of the mechanism that stays away.
      steps: of the competition.
      restarts: whether idle experts are restarted, as they are in a run.
    """
    config = bank.config.copy_and_resolve_references()
    for field in ("mechanisms", "mixture"):
        config[field] = tuple(of for i, of in enumerate(config[field]) if i != number)
    config.competition.steps = steps
    config.competition.balance = 0.0  # it would give its expert the images of others
    if not restarts:
        config.competition.restart.every = 0
    return bank._replace(config=config)


def _train_network(
    workdir: str | os.PathLike,
    config: ConfigDict,
    splits: Splits,
    settings: ConfigDict,
    shape: tuple[int, int, int],
) -> dict[str, Restorer]:
    """One network after the first half of the mechanisms, and after the second."""
    ways, state = {}, None
    for half, (steps, name) in enumerate(
        ((settings.steps, "first half"), (settings.more, "then the other"))
    ):
        taught = half_config(config, half, steps)
        taught.mechanisms = ({"name": "any_of", "of": taught.mechanisms},)
        taught.system, taught.mixture = "oracle", ()
        taught.experts.update({"count": 1, "filters": settings.filters})
        (system,) = build_oracle(taught, splits, [taught.seed])
        if state is not None:
            system = system._replace(init=functools.partial(_given, state))
        of = f"network_after_{settings.steps}" if half else "network"
        state = train_part(workdir, of, system, taught)._replace(steps=jnp.int32(0))
        ways[f"one network, {name}"] = restorer_of(Bank(taught, state, shape))
    return ways


def _given(state, key):
    del key
    return state


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The headline: accuracies in [0, 1] on the first and second half, and on what was away."""
    half = np.array(found["half"])
    result = {}
    for way, of in found["ways"].items():
        accuracy = np.array(of["accuracy"])
        if "away" in way or way == _WHOLE:
            result[f"accuracy gone, {way}"] = accuracy[found["mechanisms"].index(found["gone"])]
        else:
            result[f"accuracy first, {way}"] = accuracy[half == 0].mean()
            result[f"accuracy second, {way}"] = accuracy[half == 1].mean()
    return {name: float(value) for name, value in result.items()}


def tables(
    found: Sequence[Mapping[str, Any]],
) -> dict[str, tuple[list[str], list[list[str | float]]]]:
    """Means over the seeds: a row a way."""
    half, gone = np.array(found[0]["half"]), found[0]["mechanisms"].index(found[0]["gone"])
    rows = []
    for way in found[0]["ways"]:
        accuracy = np.mean([run["ways"][way]["accuracy"] for run in found], axis=0)
        parts = accuracy[half == 0].mean(), accuracy[half == 1].mean(), accuracy[gone]
        rows.append([way, *map(float, parts)])
    head = ["what learned", "accuracy first half", "accuracy second half"]
    return {"ways": ([*head, f"accuracy {found[0]['gone']}"], rows)}


def figures(found: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Draws the accuracy of each way, mechanism by mechanism."""
    return {"ways": draw_ways(found, "What is forgotten")}
