"""What the package asks of a system besides training it: its config, its data, its results.

A system is a folder of `icm_jax/systems/` whose `KINDS` name one `Kind` for each value that the
field `system` of a config can have there; `icm_jax.systems.registry` has them all.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax.report.story import Measure, Story
from icm_jax.schema import Schema
from icm_jax.system import System

# What an examination found in a run: JSON values
Findings = Mapping[str, Any]
# Head and rows
Table = tuple[Sequence[str], Sequence[Sequence[str | float]]]


class Examination(NamedTuple):
    """Something that is done with finished runs.

    Attributes:
      settings: its fields, their defaults and rules, checked before anything is trained.
      examine: `(workdir of one seed, settings) -> Findings`. Raises ValueError or FileNotFoundError
        where it cannot be done.
      numbers: the headline of what was found in a run, by name.
      tables: of what was found in several runs, by name.
      figures: likewise.
    """

    settings: Schema
    examine: Callable[[str | os.PathLike, ConfigDict], Findings]
    numbers: Callable[[Findings], Mapping[str, float | bool]]
    tables: Callable[[Sequence[Findings]], Mapping[str, Table]] = lambda found: {}
    figures: Callable[[Sequence[Findings]], Mapping[str, Figure]] = lambda found: {}


class Use(NamedTuple):
    """Something that a finished run can be used for: a mode of `launch.py`.

    Attributes:
      use: `(workdir of one seed, input, output) -> what to say of it`; the input is None where it
        takes none. Raises ValueError, FileNotFoundError, WorkdirError or CheckpointError where it
        cannot be done.
      takes_input: whether it needs an input, the same for all kinds that have the mode.
      options: flags of `launch.py` that it takes besides; it is given those that are set as
        arguments of these names.
    """

    use: Callable[..., str]
    takes_input: bool = False
    options: tuple[str, ...] = ()


class Curve(NamedTuple):
    """What a study draws along the training of its runs.

    Attributes:
      scalar: a number of evaluations, by its name in records.
      number: what it comes to among the numbers of a run; a run without it has no curve.
      title: of the figure.
    """

    scalar: str
    number: str
    title: str


class Kind(NamedTuple):
    """A kind of system, as a config names it in `system`.

    Attributes:
      schema: its fields, their defaults and rules.
      load: `config -> data`, whatever `build` takes: images, tables, toys. Raises
        FileNotFoundError or ValueError, naming the field.
      build: `(config, data, seeds, axis_name) -> systems`, one a seed, which share all functions
        but `evaluate`; the steps reduce over the device axis of that name. Raises ValueError for
        what does not go together.
      story: what a run came to: `summary (as in summary.json) -> Story`.
      measures: of the numbers of `System.headline` those that tell what several seeds came to.
      numbers: `(summary, records) -> name -> number or bool`, the row of a run in a study's table.
      curve: what a study draws along training, or None.
      parts: `config -> name -> digest` of all that an auxiliary system of that name depends on;
        runs of a study whose digests are the same share it.
      examinations: what can be done with finished runs, by name.
      uses: what a finished run can be used for, by the name of the mode.
    """

    schema: Schema
    load: Callable[[ConfigDict], Any]
    build: Callable[[ConfigDict, Any, Sequence[int], str | None], tuple[System, ...]]
    story: Callable[[Mapping[str, Any]], Story]
    numbers: Callable[[Mapping[str, Any], Sequence[Mapping]], Mapping[str, float | bool | None]]
    measures: Mapping[str, Measure] = MappingProxyType({})
    curve: Curve | None = None
    parts: Callable[[ConfigDict], Mapping[str, str]] = lambda config: {}
    examinations: Mapping[str, Examination] = MappingProxyType({})
    uses: Mapping[str, Use] = MappingProxyType({})
