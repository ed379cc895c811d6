"""Regression with risk: every wrapper of a network, every split of a table, in one program."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from icm_jax.system import Phase, System
from icm_jax.systems.risk.regression import evaluation, figures
from icm_jax.systems.risk.regression.answers import make_answer, make_observe, rows_of
from icm_jax.systems.risk.regression.data import Task, make_tasks
from icm_jax.systems.risk.regression.registry import make_models
from icm_jax.systems.risk.regression.steps import Models, State, init_state, make_step
from icm_jax.systems.risk.tables import Table


def build_seeds(
    config: ConfigDict, table: Table | None, seeds: Sequence[int], axis_name: str | None = None
) -> tuple[System, ...]:
    """The systems of a config (see `icm_jax.systems.risk.regression.config`), one a seed.

    Args:
      config: a validated config.
      table: to learn; None: the cubic, which a seed draws.
      seeds: in place of `config.seed`.
      axis_name: device axis that the steps reduce over, or None for one device without one.

    Raises:
      ValueError: the table has fewer splits than asked for.
    """
    tasks = make_tasks(config, table, seeds)
    task = tasks[0]
    models = make_models(config, task.features)
    answer = make_answer(models)
    of_table = task.truth is None
    shared = System(
        name=config.system,
        init=functools.partial(
            init_state,
            models,
            config,
            (task.splits, task.features),
            rows_of(models) if of_table else (),
        ),
        phases=(_phase(config, models, answer, task, axis_name),),
        data={},
        shared={"train": task.train} if of_table else {},
        evaluate=functools.partial(evaluation.evaluate, answer),
        figures=figures.draw,
        headline=evaluation.headline,
    )
    return tuple(
        shared._replace(
            data={} if of_table else {"train": task.train},
            evaluate=functools.partial(shared.evaluate, task),
        )
        for task in tasks
    )


def _phase(
    config: ConfigDict,
    models: Models,
    answer: evaluation.AnswerRows,
    task: Task,
    axis_name: str | None,
) -> Phase:
    """Training; at every evaluation banks are filled, and test rows of a table looked at."""
    fill = make_observe(models)
    look = evaluation.make_look(answer, task)

    def observe(state: State, data: Mapping[str, Any]) -> State:
        state = fill(state, data)
        # All seeds of a table are tested on the same rows; those of the cubic are not looked at.
        return look(state, data) if task.truth is None else state

    step = make_step(models, config, axis_name)
    return Phase("training", config.steps, step, observe=observe)
