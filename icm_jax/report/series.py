"""From the records of a run to lines to draw."""

from collections.abc import Mapping, Sequence
from typing import Any

_NOT_METRICS = ("phase", "step", "evaluation")


def charts(
    records: Sequence[Mapping[str, Any]],
    entry: str = "",
) -> dict[str, dict[str, tuple[list, list]]]:
    """Collects the metrics of a run, one chart for each phase and metric.

    Args:
      records: dicts as they stand in `metrics.jsonl`: `phase`, `step` and metrics, each a number,
        a list of them, or None where there was no value.
      entry: what a list has one entry for ("expert", say), for the label of its lines.

    Returns:
      "phase: metric" -> label -> (steps, values), as `lines.panels` takes it. A single number has
      the label "".
    """
    found: dict[str, dict[str, tuple[list, list]]] = {}
    for record in records:
        for name, value in record.items():
            if name in _NOT_METRICS:
                continue
            lines = found.setdefault(f"{record['phase']}: {name}".replace("_", " "), {})
            values = value if isinstance(value, list) else [value]
            for index, number in enumerate(values):
                label = f"{entry} {index}".strip() if isinstance(value, list) else ""
                steps, numbers = lines.setdefault(label, ([], []))
                steps.append(record["step"])
                numbers.append(number)
    return found


def evaluated(records: Sequence[Mapping[str, Any]], name: str) -> tuple[list, list]:
    """Collects one number of the evaluations along training.

    Args:
      records: dicts as they stand in `metrics.jsonl`; those with `evaluation` hold the numbers.
      name: the number wanted.

    Returns:
      (steps, values) of the evaluations that have it.
    """
    points = [
        (record["step"], record["evaluation"][name])
        for record in records
        if name in record.get("evaluation", {})
    ]
    return [step for step, _ in points], [value for _, value in points]
