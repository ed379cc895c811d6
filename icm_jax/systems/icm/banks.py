"""Banks of finished experts: merged under one discriminator, or joined by new ones and trained on.

An expert is an independent module: it can be taken out of the run that it was trained in and
compete with others that it never met. Only the discriminator has to be chosen.
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict
from tqdm import trange

from icm_jax.streams import StepStream
from icm_jax.system import Metrics, Phase, System
from icm_jax.systems.icm import competition, evaluation, restarts, restore
from icm_jax.systems.icm.model import Model, make_model
from icm_jax.systems.icm.restore import Restorer
from icm_jax.systems.icm.state import Discriminator, Experts, State, init
from icm_jax.systems.icm.steps import restart_step

PyTree = Any
Step = Callable[[State, Mapping[str, PyTree], jax.Array], tuple[State, Metrics]]


class MeanScore(NamedTuple):
    """Several discriminators as one, whose logit is the mean of theirs.

    Attributes:
      member: the network of each.
    """

    member: nn.Module

    def apply(self, variables: Mapping[str, PyTree], images: jax.Array) -> jax.Array:
        """Logits `[B]` of images `[B, H, W, C]`; `variables["params"]` has one a member."""
        each = [self.member.apply({"params": params}, images) for params in variables["params"]]
        return jnp.stack(each).mean(axis=0)


def merge(restorers: Sequence[Restorer], discriminator: int | str = "mean") -> Restorer:
    """Puts the experts of several trained models together under one discriminator.

    Nothing is trained. Experts are numbered anew, in the order of the models.

    Args:
      restorers: of runs with the same networks and images of one size; see `restore.load`.
      discriminator: the number of the model whose discriminator judges all, or 'mean': the mean
        logit of all of them. `learn_discriminator` makes a new one.

    Raises:
      ValueError: there is no model, no such discriminator, or the models do not go together.
    """
    if not restorers:
        raise ValueError("restorers: none; give at least one")
    first = restorers[0]
    for number, other in enumerate(restorers):
        same = other.model.expert == first.model.expert
        if not same or other.padded_shape != first.padded_shape:
            raise ValueError(
                f"restorers: number {number} has other networks or images than number 0; merge "
                "runs whose experts and images are alike"
            )
    model, judging = _discriminator(restorers, discriminator)
    states = [restorer.state for restorer in restorers]
    return first._replace(
        model=model,
        lead=0.0,  # that was of another discriminator
        state=merge_states(states)._replace(discriminator=judging),
        numbers=np.arange(sum(len(r.numbers) for r in restorers), dtype=np.int32),
        mechanisms=sum((r.mechanisms for r in restorers), ()),
    )


def merge_states(states: Sequence[State]) -> State:
    """One state of the experts of all, in order, and of the first one's discriminator.

    All experts count as having won alike, and the steps of the competition count from 0.
    """
    experts = jax.tree.map(lambda *parts: jnp.concatenate(parts), *(s.experts for s in states))
    count = sum(len(state.share) for state in states)
    share = jnp.full(count, 1.0 / count, jnp.float32)
    return State(experts, states[0].discriminator, share, jnp.int32(0))


def learn_discriminator(
    restorer: Restorer,
    images: np.ndarray,
    steps: int = 200,
    batch_size: int = 16,
    key: jax.Array | None = None,
) -> Restorer:
    """Gives a bank a new discriminator, which learns from canonical images alone.

    It learns to tell these from what the experts make of them: an expert spoils an image that its
    mechanism did not make. No transformed image is needed, and the experts stay as they are.

    Args:
      restorer: the bank.
      images: canonical, as in `Restorer.__call__`.
      steps: of Adam, at the rate of the run.
      batch_size: canonical images of a step; each expert makes something of all of them.
      key: typed key `[]`; of seed 0 where it is None.

    Raises:
      ValueError: images are not allowed, as a call of the bank says, or `steps` is negative.
    """
    if steps < 0:
        raise ValueError(f"steps: {steps} is not allowed; it must be at least 0")
    key = jax.random.key(0) if key is None else key
    network = restorer.model.discriminator
    while isinstance(network, MeanScore):  # of a merged bank, or of several merged ones
        network = network.member
    model = restorer.model._replace(discriminator=network)
    params = jax.jit(network.init)(key, jnp.zeros((1, *restorer.padded_shape)))["params"]
    optimizer = model.discriminator_optimizer
    images = jnp.asarray(restorer.fitted(np.asarray(images)))

    @jax.jit
    def step(params, opt_state, state, number):
        draw_key = jax.random.fold_in(key, number)
        real = images[jax.random.randint(draw_key, (batch_size,), 0, len(images))]
        outputs = evaluation.score(restorer.model, state, real).outputs
        *_, gradient = competition.discriminator_gradient(model.logits, params, outputs, real)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    opt_state = optimizer.init(params)
    for number in trange(steps, desc="discriminator", unit="step", delay=2, disable=None):
        params, opt_state = step(params, opt_state, restorer.state, number)
    state = restorer.state._replace(discriminator=Discriminator(params, ()))
    return restorer._replace(model=model, state=state, lead=0.0)


class Bank(NamedTuple):
    """Experts that go on learning, and how.

    Attributes:
      config: of the run that goes on: mechanisms, steps and all else may be changed but networks,
        how many experts there are, and what they see.
      state: of E experts and their discriminator, with the states of the optimizers.
      shape: `(H, W, C)` of what they see, padded.
      new: how many of the experts, the last ones, begin anew.
      frozen: how many, the first ones, compete and never change.
      restart: when a new expert that stays idle becomes a copy of a crowded new one; those that
        were there before are never overwritten.
    """

    config: ConfigDict
    state: State
    shape: tuple[int, int, int]
    new: int = 0
    frozen: int = 0
    restart: restarts.Settings = restarts.Settings(0, 0.0, 1.0, 0.0, 0.0)

    def begin(self, system: System) -> System:
        """A system of `config` that begins with these experts: `icm_jax.run(..., begin=...)`.

        New experts first learn to leave images alone; they alone take the initialization.

        Raises:
          ValueError: the config makes other networks, or other images, than those of the bank.
        """
        self._check(system)
        initialization, compete = system.phases
        steps = initialization.steps if self.new else 0
        phases = (
            initialization._replace(steps=steps, step=_of_last(initialization.step, self.new)),
            compete._replace(step=self._competing(compete)),
        )
        return system._replace(init=lambda key: self.state, phases=phases)

    def _check(self, system: System) -> None:
        """Refuses a system whose state has other shapes than the bank's."""
        made = (jax.eval_shape(system.init, jax.random.key(0)), self.state)
        theirs, ours = (
            {jax.tree_util.keystr(path): np.shape(leaf) for path, leaf in leaves}
            for leaves in map(jax.tree.leaves_with_path, made)
        )
        for path in ours | theirs:
            if ours.get(path) != theirs.get(path):
                raise ValueError(
                    f"config: {path} has shape {ours.get(path)} in the bank and {theirs.get(path)} "
                    "here; leave experts, discriminator and data as they are in Bank.config"
                )

    def _competing(self, phase: Phase) -> Step:
        """The step of a competition that leaves frozen experts as they are."""

        def step(state: State, data: Mapping[str, PyTree], key: jax.Array):
            new, metrics = phase.step(state, data, key)
            if self.new and self.restart.every:
                new = self._restart(new, jax.random.fold_in(key, StepStream.NEW_EXPERTS))
            experts = jax.tree.map(
                lambda now, before: now.at[: self.frozen].set(before[: self.frozen]),
                new.experts,
                state.experts,
            )
            return new._replace(experts=experts), metrics

        return step

    def _restart(self, state: State, key: jax.Array) -> State:
        """Restarts an idle expert among the new ones, see `restarts`."""
        mine = state.share[-self.new :]
        total = jnp.maximum(mine.sum(), 1e-6)
        part = state._replace(experts=_last(state.experts, self.new), share=mine / total)
        part, _ = restart_step(part, key, self.restart)
        share = state.share.at[-self.new :].set(part.share * total)
        return state._replace(experts=_with_last(state.experts, part.experts), share=share)


def load(workdir: str | os.PathLike) -> Bank:
    """The experts of a finished run, as they would go on.

    Takes and raises what `icm_jax.restore.load` does. The steps of the competition count from 0
    again, and with them the fall of learning rates.
    """
    run, _, state = restore.load_state(workdir)
    config = run.config.copy_and_resolve_references()
    return Bank(
        config, jax.device_put(state)._replace(steps=jnp.int32(0)), restore.padded_shape(run)
    )


def add_experts(bank: Bank, count: int, frozen: bool = False, seed: int = 0) -> Bank:
    """Puts new experts beside those of a bank, to learn mechanisms that these do not know.

    Args:
      bank: of E experts.
      count: how many, at least 1.
      frozen: whether the others only compete, and never change.
      seed: of the parameters of the new ones.

    Raises:
      ValueError: `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count: {count} is not allowed; it must be at least 1")
    config = bank.config.copy_and_resolve_references()
    old = config.experts.count
    config.experts.count = old + count
    restart = bank.restart if bank.new else restarts.Settings(**config.competition.restart)
    # Experts whose mechanisms do not come for a while would be overwritten by the run's own
    # restarts, given the images of others, and dropped at the end.
    config.competition.restart.every = 0
    config.competition.balance = config.experts.prune = 0.0
    model, example = make_model(config), jnp.zeros((1, *bank.shape))
    fresh = jax.jit(functools.partial(init, model, count, example))(jax.random.key(seed))
    state = merge_states([bank.state, fresh])
    return Bank(config, state, bank.shape, count, old if frozen else 0, restart)


def _discriminator(restorers: Sequence[Restorer], choice: int | str) -> tuple[Model, Discriminator]:
    """The model of merged experts, and the parameters that judge them."""
    if choice == "mean":
        model = restorers[0].model
        if any(other.model.discriminator != model.discriminator for other in restorers):
            raise ValueError("discriminator: 'mean' needs networks that are alike; choose one")
        params = [restorer.state.discriminator.params for restorer in restorers]
        judging = Discriminator(params, ())
        return model._replace(discriminator=MeanScore(model.discriminator)), judging
    if type(choice) is not int or choice not in range(len(restorers)):
        raise ValueError(
            f"discriminator: {choice!r} is not allowed; it must be 'mean' or the number of a "
            f"model, 0 to {len(restorers) - 1}"
        )
    chosen = restorers[choice]
    model = restorers[0].model._replace(discriminator=chosen.model.discriminator)
    return model, chosen.state.discriminator


def _of_last(step: Step, count: int) -> Step:
    """A step that the last `count` experts alone take; metrics are theirs."""

    def step_of_last(state: State, data: Mapping[str, PyTree], key: jax.Array):
        part = state._replace(experts=_last(state.experts, count), share=state.share[-count:])
        new, metrics = step(part, data, key)
        experts = _with_last(state.experts, new.experts)
        return new._replace(experts=experts, share=state.share), metrics

    return step_of_last


def _last(experts: Experts, count: int) -> Experts:
    return jax.tree.map(lambda t: t[-count:], experts)


def _with_last(experts: Experts, new: Experts) -> Experts:
    """Experts of which the last ones are replaced."""
    return jax.tree.map(lambda t, part: t.at[-len(part) :].set(part), experts, new)
