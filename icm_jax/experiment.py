"""Joins a config with its data, its system, the loop and the report."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from icm_jax import parts, paths
from icm_jax.config import digest, from_workdir, to_dict
from icm_jax.data import Splits
from icm_jax.data.checks import check_splits
from icm_jax.report import html, provenance, seeds
from icm_jax.report.story import Story
from icm_jax.system import System
from icm_jax.systems import registry
from icm_jax.systems.kind import Kind
from icm_jax.training import AXIS, Result, Seeded, evaluate, telling_memory, train
from icm_jax.training.shared import TAKEN
from icm_jax.training.workdir import read_json, write_json

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
    return _build(config, _given(config, data))


def describe(summary: Mapping[str, Any]) -> str:
    """What the run of a summary (as in `summary.json`) came to, in a line."""
    return registry.kind_of(summary).story(summary).sentence


@telling_memory()
def run(
    config: ConfigDict,
    workdir: str | os.PathLike,
    mode: str = "train",
    data: Any = None,
    command: Sequence[str] | None = None,
    begin: Callable[[System], System] | None = None,
) -> Result:
    """Trains a config in a folder, or evaluates what was trained there.

    Args:
      config: such as `icm_jax.default_config("icm")`, with any field changed.
      workdir: the run's folder; a run that was interrupted goes on where it stopped.
      mode: 'train', which ends with an evaluation, or 'evaluate', for a finished folder.
      data: see `build`.
      command: the arguments of Python as typed, where there was a command, for the report.
      begin: makes the system begin elsewhere, with experts of finished runs (`icm_jax.banks`). The
        run belongs to what it begins with, as to its data.

    Returns:
      The run's `summary` (as in `summary.json`) and final state; those of all seeds, with a table,
      where `config.replicas` asks for several.

    Raises:
      ValueError: for a config or mode that cannot run.
      FileNotFoundError: if the data are not there.
      WorkdirError, CheckpointError, NotFinite, Interrupted: see `icm_jax.training.train`.
      OutOfMemory: there is not enough for this config.
    """
    if mode not in MODES:
        raise ValueError(f"mode: {mode!r} is unknown; choose one of {', '.join(MODES)}")
    is_given, data = data is not None, _given(config, data)
    systems, given = _build(config, data), parts.digest_of(data) if is_given else ""
    if begin is not None:
        systems = tuple(map(begin, systems))
        given += "+" + parts.digest_of([system.init(jax.random.key(0)) for system in systems])
    runs = [
        Seeded(system, seed, to_dict(config) | {"seed": seed, "replicas": 1})
        for system, seed in zip(systems, _seeds(config), strict=True)
    ]
    making = _Making(
        paths.local(workdir, "workdir"),
        mode == "train",
        command,
        _seeds(config),
        tuple(runs[0].system.auxiliary),
    )
    common = {
        "config": to_dict(config),
        "keep": config.checkpoint.keep,
        "write_report": functools.partial(_write_report, making),
        "data": given,
    }
    if mode == "evaluate":
        return evaluate(runs, workdir, **common)
    return train(
        runs,
        workdir,
        log_every=config.log.every,
        evaluate_every=config.evaluation.every,
        checkpoint_every=config.checkpoint.every,
        find_place=functools.partial(_find_place, config, data),
        **common,
    )


@telling_memory()
def use(
    mode: str,
    workdir: str | os.PathLike,
    source: Path | None,
    output: Path,
    **options: str | int | float,
) -> str:
    """Uses a finished run as its kind can be used.

    Args:
      mode: one of `icm_jax.systems.registry.uses`.
      workdir: of one seed.
      source: the input, None where the mode takes none.
      output: a file or folder to write.
      options: those of `Use.options` that are set.

    Returns:
      What to say of it.

    Raises:
      ValueError: there is no run, or its kind has no such mode; or as the use itself does.
    """
    workdir = paths.local(workdir, "workdir")
    config = from_workdir(workdir)
    of_kind = registry.use_of(config, mode)
    for name in options:
        if name not in of_kind.options:
            raise ValueError(
                f"--{name}: --mode={mode} of a run of {config['system']!r} takes none; leave it out"
            )
    return of_kind.use(workdir, source, output, **options)


def default_workdir(config: ConfigDict, name: str) -> Path:
    """`runs/<name>-<digest of the config>`: the same command finds its own run again."""
    return Path("runs") / f"{name}-{digest(config)}"


def _build(config: ConfigDict, data: Any) -> tuple[System, ...]:
    """As `build`, of a config and data that were checked."""
    return registry.kind_of(config).build(config, data, _seeds(config), AXIS)


def _given(config: ConfigDict, data: Any) -> Any:
    """The data of a config that can run: those that it names where they are None."""
    registry.validate(config)
    if isinstance(data, Splits):
        check_splits(data)
    elif type(data) in (tuple, list, dict) or hasattr(data, "shape"):
        kind = type(data).__name__
        raise ValueError(f"data: {kind} is not allowed; images are icm_jax.Splits, see `load`")
    return registry.kind_of(config).load(config) if data is None else data


def _find_place(config: ConfigDict, data: Any, name: str) -> Path | None:
    """Where the finished auxiliary system of a config is kept for other runs, if it is to be."""
    depends = registry.kind_of(config).parts(config)
    return parts.place_of(name, depends[name], data) if name in depends else None


def _seeds(config: ConfigDict) -> range:
    return range(config.seed, config.seed + config.replicas)


class _Making(NamedTuple):
    """What a report tells besides the summary of its run.

    Attributes:
      workdir: of the run.
      trained: whether it is trained now, not only evaluated.
      command: see `run`.
      seeds: that are trained at once.
      auxiliary: names of the systems trained before it.
    """

    workdir: Path
    trained: bool
    command: Sequence[str] | None
    seeds: Sequence[int]
    auxiliary: Sequence[str]


def _write_report(
    making: _Making, path: Path, summary: Mapping[str, Any], figures: Mapping[str, Path]
) -> None:
    """Writes the page of a seed or, by the summary of all and without figures, that of all.

    How the run was made is kept in `provenance.json`, for the pages of later evaluations.
    """
    made = making.workdir / "provenance.json"
    if making.trained:
        write_json(made, provenance.collect(making.command, making.seeds))
    kind, several = registry.kind_of(summary), "summaries" in summary
    if several:
        story, figures = _story_of_all(kind, path.parent, summary)
    else:
        story = kind.story(summary)
    first = path.relative_to(making.workdir).parts[0]
    phases = {} if first in making.auxiliary else _times_of_auxiliary(making)
    every = summary["seeds"] if several else [summary["seed"]]
    whose = f"seeds {every[0]} to {every[-1]}" if several else f"seed {every[0]}"
    html.write(
        path,
        f"{summary['system']}, {whose}",
        story,
        summary,
        figures,
        phases | _times(summary),
        read_json(made) or {},
    )


def _times_of_auxiliary(making: _Making) -> dict[str, Mapping[str, float]]:
    """Steps and seconds of each phase of the systems that were trained before."""
    phases = {}
    for name in making.auxiliary:
        folder = making.workdir / name
        # A judge that lost its summary can judge all the same.
        its = read_json(folder / "summary.json")
        label = name + html.EARLIER * (folder / TAKEN).exists()
        phases |= {f"{label}: {phase}": of for phase, of in (_times(its) if its else {}).items()}
    return phases


def _story_of_all(
    kind: Kind, folder: Path, summary: Mapping[str, Any]
) -> tuple[Story, dict[str, Path]]:
    """The story of several seeds, with the picture of each seed's own."""
    each = dict(zip(summary["seeds"], summary["summaries"], strict=True))
    links = {str(seed): f"seed_{seed}/report.html" for seed in each}
    pictures = {
        f"seed {seed}": folder / f"seed_{seed}" / "figures" / f"{kind.story(one).picture}.png"
        for seed, one in each.items()
    }
    story = seeds.tell(summary["table"], kind.measures, links)
    pictures = {name: picture for name, picture in pictures.items() if picture.exists()}
    return story._replace(picture=next(iter(pictures), "")), pictures


def _times(summary: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    """Steps and seconds of each phase; of several seeds, which take them at once, the most."""
    each = [one["phases"] for one in summary.get("summaries", [summary])]
    return {
        name: max((phases[name] for phases in each), key=lambda times: times["steps"])
        for name in each[0]
    }
