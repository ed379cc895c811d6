"""What regression is judged by: errors, proper scores, intervals and, of the cubic, the truth."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from icm_jax.system import Evaluation
from icm_jax.systems.risk.regression import measures
from icm_jax.systems.risk.regression.answers import Answer, Answers, Asked
from icm_jax.systems.risk.regression.data import Rows, Task
from icm_jax.systems.risk.regression.measures import MEASURES, over_splits
from icm_jax.systems.risk.regression.steps import Best, State

AnswerRows = Callable[[Mapping, Rows, Asked], Answers]

# Of a run in a study.
_NUMBERS = ("rmse", "nll", "crps", "coverage", "conformal_coverage", "ause")


def evaluate(
    answer: AnswerRows,
    task: Task,
    state: State,
    auxiliary: Mapping[str, Any],
    complete: bool,
) -> Evaluation:
    """Evaluates a state: its errors and likelihoods alone if not `complete`."""
    del auxiliary
    answers = _ask(answer, task, state, task.test)
    quick = measure_quickly(task, answers)
    means = {row: over_splits(found) for row, found in quick.items()}
    scalars = {
        f"{row} {name}": of["mean"] for row, found in means.items() for name, of in found.items()
    }
    if not complete:
        return Evaluation(scalars, {}, {})
    results, arrays = {}, {}
    for row, found in answers.items():
        parts = list(_of_splits(task, found))
        each = [measures.measure(one, y, split) for split, (one, y) in enumerate(parts)]
        results[row] = over_splits(each)
        drawn = [measures.curves(one, y) for one, y in parts]
        arrays |= {
            f"{name}: {row}": np.mean([curves[name] for curves in drawn], axis=0)
            for name in drawn[0]
        }
    summary = {
        "data": task.name,
        "splits": task.splits,
        "columns": list(task.columns),
        "first_split": _describe_first_split(task, answers),
        "results": results,
        "of_each_split": {
            row: {name: [each[name] for each in found] for name in found[0]}
            for row, found in quick.items()
        },
    }
    if task.truth is None:
        summary["best_of_test_along_training"] = _describe_best(state.best)
    else:
        summary["truth"], more = _compare_with_truth(answer, task, state)
        arrays |= more
    return Evaluation(scalars, summary, arrays)


def measure_quickly(task: Task, answers: Answers) -> dict[str, list[dict[str, float]]]:
    """`rmse` and `nll` on test rows: by the row of the results, of each split."""
    return {
        row: [measures.measure_quickly(one, y) for one, y in _of_splits(task, found)]
        for row, found in answers.items()
    }


def make_look(answer: AnswerRows, task: Task) -> Callable[[State, Mapping[str, Any]], State]:
    """`(state, data) -> state` that remembers the least RMSE and NLL of each split's test rows."""

    def look(state: State, data: Mapping[str, Any]) -> State:
        del data
        quick = measure_quickly(task, _ask(answer, task, state, task.test))
        best = {}
        for row, found in quick.items():
            now = Best(*([each[name] for each in found] for name in Best._fields))
            # A number that is none is not the least.
            pairs = zip(state.best[row], now, strict=True)
            best[row] = Best(*(np.fmin(*pair).astype(np.float32) for pair in pairs))
        return state._replace(best=best)

    return look


def headline(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a summary by which runs are compared."""
    return {
        f"{row} {MEASURES[name]}": found[name]["mean"]
        for row, found in summary["results"].items()
        for name in ("rmse", "nll")
    }


def numbers(
    summary: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """The row of a run in a study.

    Args:
      summary: as in `summary.json`.
      records: as in `metrics.jsonl`.
    """
    del records
    return {
        f"{row} {MEASURES[name]}": found[name]["mean"]
        for row, found in summary["results"].items()
        for name in _NUMBERS
    }


def _ask(answer: AnswerRows, task: Task, state: State, rows: Rows) -> Answers:
    return answer(state.learners, task.train, Asked(rows.features, task.scale, task.shift))


def _of_splits(task: Task, answer: Answer) -> Iterator[tuple[Answer, np.ndarray]]:
    """Of each split the answer for its test rows, and their targets `[m]` in their unit."""
    for split, count in enumerate(task.test.count):
        target = task.test.of_split(split) * task.scale[split] + task.shift[split]
        yield answer.of_split(split, count), target.astype(np.float64)


def _describe_first_split(task: Task, answers: Answers) -> dict[str, Any]:
    """All that the use of the first split's models needs of the data.

    Returns:
      `features` and `target`, the `scale` and `shift` of each; the scale of a feature that is
      constant in training is infinite, null in JSON. `noise`, by row of the results the mean
      aleatoric risk of the test rows: the constant one, of a model that has none of its own.
    """
    count = task.test.count[0]
    noise = {row: of.of_split(0, count).whole.aleatoric.mean() for row, of in answers.items()}
    return {
        "features": {"scale": task.feature_scale[0], "shift": task.feature_shift[0]},
        "target": {"scale": task.scale[0, 0], "shift": task.shift[0, 0]},
        "noise": noise,
    }


def _describe_best(best: Mapping[str, Best]) -> dict[str, Any]:
    """The least RMSE and NLL of each split, as `results` has those of the last step."""
    return {
        row: over_splits(
            [
                dict(zip(Best._fields, map(float, values), strict=True))
                for values in zip(*map(np.asarray, found), strict=True)
            ]
        )
        for row, found in best.items()
    }


def _compare_with_truth(
    answer: AnswerRows, task: Task, state: State
) -> tuple[dict[str, dict[str, float]], dict[str, np.ndarray]]:
    """What is known of the cubic, by row of the results, and what is drawn of it."""
    truth = task.truth
    found, arrays = {}, {"x": truth.x, "curve": truth.curve, "points": truth.points}
    for row, answers in _ask(answer, task, state, truth.rows).items():
        whole = answers.of_split(0, len(truth.x)).whole
        found[row] = measures.measure_truth(whole, truth.curve, truth.sigma, truth.inside)
        arrays |= {f"{name}: {row}": field.reshape(-1) for name, field in whole.known().items()}
    return found, arrays
