"""Steps say what they need: batches that do not fit are refused before anything is computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny

from icm_jax.systems.icm.competition import KeyedImages
from icm_jax.systems.icm.model import make_model
from icm_jax.systems.icm.restarts import Settings
from icm_jax.systems.icm.state import init
from icm_jax.systems.icm.steps import (
    Batch,
    Pairs,
    Schedule,
    competition_step,
    reproduction_step,
    restart_step,
)

SCHEDULE = Schedule(momentum=0.9)
SETTINGS = Settings(every=2, idle=0.2, crowded=1.5, noise=0.02, memory=0.95)


@pytest.fixture(scope="module")
def model():
    return make_model(tiny.icm())


@pytest.fixture(scope="module")
def state(model):
    """Shapes of the state of three experts."""
    example = jnp.zeros((1, 12, 12, 1))
    return jax.eval_shape(lambda key: init(model, 3, example, key), jax.random.key(0))


def images(*batch, side=12):
    return jnp.zeros((*batch, side, side, 1))


def keys(count):
    return jax.random.split(jax.random.key(0), count)


def test_experts_running_statistics_and_discriminator_learn_by_the_schedule(model, state):
    """A step of rate 0 and momentum 1 leaves all that it could move where it was."""
    state = jax.tree.map(lambda t: jnp.ones(t.shape, t.dtype), state)
    batch = Batch(KeyedImages(images(4) + 0.3), images(4) + 0.7)
    for schedule, still in ((Schedule(1.0, 0.0), True), (Schedule(0.9, 1.0), False)):
        new, _ = jax.jit(competition_step, static_argnums=(0, 3))(model, state, batch, schedule)
        for part in ("experts", "discriminator"):
            moved = [
                bool((a != b).any())
                for a, b in zip(
                    jax.tree.leaves(getattr(state, part)._replace(opt_state=())),
                    jax.tree.leaves(getattr(new, part)._replace(opt_state=())),
                    strict=True,
                )
            ]
            assert any(moved) != still


RIGHT = Pairs(images(4), images(4), keys(4))


@pytest.mark.parametrize(
    "wrong",
    [
        RIGHT._replace(targets=images(3)),
        RIGHT._replace(inputs=images(4, side=10)),
        RIGHT._replace(inputs=images(2, 4)),  # of two experts, and there are three
        RIGHT._replace(keys=keys(3)),
        Pairs(images(), images()),
    ],
)
def test_pairs_that_do_not_fit_are_refused(model, state, wrong):
    step = lambda state, pairs: reproduction_step(model, state, pairs, SCHEDULE)  # noqa: E731
    for right in (RIGHT, RIGHT._replace(inputs=images(3, 4))):
        _, metrics = jax.eval_shape(step, state, right)
        assert metrics["reproduction_error"].total.shape == (3,)
    with pytest.raises(AssertionError, match="Chex"):
        jax.eval_shape(step, state, wrong)


BATCH = Batch(KeyedImages(images(4), keys(4)), images(4), KeyedImages(images(2), keys(2)))


@pytest.mark.parametrize(
    "wrong",
    [
        BATCH._replace(canonical=images(3)),
        BATCH._replace(transformed=KeyedImages(images(4), keys(3))),
        BATCH._replace(reference=KeyedImages(images(2), keys(3))),
        BATCH._replace(reference=KeyedImages(images())),
        Batch(KeyedImages(images()), images()),
    ],
)
def test_batches_that_do_not_fit_are_refused(model, state, wrong):
    step = lambda state, batch: competition_step(model, state, batch, SCHEDULE)  # noqa: E731
    _, metrics = jax.eval_shape(step, state, BATCH)
    assert metrics["wins"].total.shape == (3,)
    with pytest.raises(AssertionError, match="Chex"):
        jax.eval_shape(step, state, wrong)


@pytest.mark.parametrize(
    "changes", [{"share": np.ones(2, np.float32)}, {"steps": np.ones(1, np.int32)}]
)
def test_a_state_that_does_not_fit_is_refused(state, changes):
    step = lambda state: restart_step(state, jax.random.key(0), SETTINGS)  # noqa: E731
    assert jax.eval_shape(step, state)[0].share.shape == (3,)
    with pytest.raises(AssertionError, match="Chex"):
        jax.eval_shape(step, state._replace(**changes))
