"""The contract between a system and the training loop.

A system (ICM, a classifier, ...) is a handful of pure functions; one loop runs any of them and
knows nothing of what it trains. Systems never import the loop and the loop never imports a system.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure

PyTree = Any


class Mean(NamedTuple):
    """A metric as a sum and a count, so that it can be added up over steps and devices.

    `total` and `count` are float32 of the same shape: `[]` for one number, `[E]` for one number
    an expert. The value logged is `total / count`; where `count` is 0 there is no value (null).
    """

    total: jax.Array
    count: jax.Array


Metrics = Mapping[str, Mean]


class Phase(NamedTuple):
    """A stretch of training with one kind of step.

    Attributes:
      name: as in progress, records and `summary.json`.
      steps: the most steps this phase takes; 0 skips it.
      step: pure `(state, data, key) -> (state, metrics)`, `key` different at every step. It is
        called on every device with the same arguments, takes its own share of the batch, and
        returns the same state and the same metrics on all of them (reduced over the axis that
        the system was built with).
      stop_below: `(metric, threshold)`: the phase ends early at the first logging interval in
        which every entry of the metric's mean is below the threshold.
      begin: `(state, data, key) -> state`, called before the first step where it is not None, for
        what is computed from all the data at once: groups that an earlier phase's network finds,
        say. It runs on the host and may compile what it likes; it must be deterministic, since a
        run that stopped between two phases calls it again. `data` are the host arrays.
      observe: `(state, data) -> state`, likewise, called at every evaluation interval and after
        the last of `steps`, before the evaluation: to remember the best parameters so far, say.
        What it returned belongs to the checkpoint of that step: nothing is observed twice.
    """

    name: str
    steps: int
    step: Callable[[PyTree, PyTree, jax.Array], tuple[PyTree, Metrics]]
    stop_below: tuple[str, float] | None = None
    begin: Callable[[PyTree, PyTree, jax.Array], PyTree] | None = None
    observe: Callable[[PyTree, PyTree], PyTree] | None = None


class Evaluation(NamedTuple):
    """What an evaluation found.

    Attributes:
      scalars: name -> number or nested lists of them, recorded with the step.
      summary: nested dict of JSON values: the system's part of `summary.json`.
      arrays: name -> array, what the figures are drawn from.
      files: name -> text, written into the folder of the run at its end.
    """

    scalars: Mapping[str, Any]
    summary: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    files: Mapping[str, str] = MappingProxyType({})


class System(NamedTuple):
    """A trainable system.

    Attributes:
      name: as in `summary.json`.
      init: `key -> state`, one pytree with everything that resuming needs.
      phases: run in order.
      data: name -> pytree of host arrays that every step is given; the loop puts them on the
        device.
      evaluate: `(state, states of the auxiliary systems, complete) -> Evaluation`. `complete` is
        False for the quick evaluations during training, True for the one that ends the run.
      figures: `(the last Evaluation, records) -> name -> figure`, where `records` is the list of
        dicts that stands in `metrics.jsonl`.
      headline: `summary -> name -> number or bool`, by which the seeds of a run are compared;
        `summary` is as in `summary.json`.
      shared: likewise: what several seeds trained together have in common, put there once for all
        of them. Where both have a name, that of `data` counts.
      auxiliary: systems that evaluation or training needs (a classifier as a judge, a generator
        to learn from), by name; each is trained first, by the same loop, in a folder of that name
        within the workdir.
      learns_from: `states of the auxiliary systems -> name -> pytree of arrays`, which every step
        is given beside `data`. They are no part of the state: a checkpoint has none of them.
      config: as an auxiliary system that can be trained alone too has it, with the seed and the
        number of seeds of the run that it belongs to: its folder can be used as that of any run.
        Where it is None it has the config of that run.
    """

    name: str
    init: Callable[[jax.Array], PyTree]
    phases: tuple[Phase, ...]
    data: Mapping[str, PyTree]
    evaluate: Callable[[PyTree, Mapping[str, PyTree], bool], Evaluation]
    figures: Callable[[Evaluation, list[dict]], dict[str, Figure]]
    headline: Callable[[Mapping[str, Any]], Mapping[str, float | bool]] = lambda summary: {}
    shared: Mapping[str, PyTree] = MappingProxyType({})
    auxiliary: Mapping[str, "System"] = MappingProxyType({})
    learns_from: Callable[[Mapping[str, PyTree]], Mapping[str, PyTree]] = lambda states: {}
    config: Mapping[str, Any] | None = None

    def taught(self, states: Mapping[str, PyTree]) -> "System":
        """The system with what it learns from its auxiliary systems, in these states."""
        return self._replace(data={**self.data, **self.learns_from(states)})

    @property
    def given(self) -> dict[str, PyTree]:
        """The host arrays that every step is given: `shared` and `data`."""
        return {**self.shared, **self.data}
