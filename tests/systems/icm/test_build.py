import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny
from systems.icm.tiny import take_expert

from icm_jax import mechanisms
from icm_jax.systems.icm.build import build_competition
from icm_jax.systems.icm.images import build_images
from icm_jax.systems.icm.state import prune


def drawn(data, half):
    return data["images"][data[half].index[: data[half].count]]


def test_halves_and_labels_decide_what_is_trained_on():
    config, splits = tiny.icm(), tiny.splits()
    system = tiny.build_icm(config, splits)
    canonical, transformed = drawn(system.given, "canonical"), drawn(system.given, "transformed")
    assert len(canonical) + len(transformed) == 40
    assert not {i.tobytes() for i in canonical} & {i.tobytes() for i in transformed}
    judge = system.auxiliary["classifier"].given
    np.testing.assert_array_equal(drawn(judge, "pool"), canonical)
    config.data.labels = (1,)
    restricted = drawn(tiny.build_icm(config, splits).given, "canonical")
    assert (restricted[:, 11, 0] > 150).all()  # class 1 is bright at the lower left
    assert 0 < len(restricted) < len(canonical)


def test_seeds_share_all_but_what_they_decide():
    config, splits = tiny.icm(), tiny.splits()
    zero, one = build_competition(config, splits, (0, 1))
    assert zero.init is one.init and zero.phases is one.phases
    assert zero.evaluate.func is one.evaluate.func and zero.evaluate.args != one.evaluate.args
    assert zero.shared["images"] is one.shared["images"]
    assert zero.auxiliary["classifier"].phases is one.auxiliary["classifier"].phases
    config.seed = 1
    alone = tiny.build_icm(config, splits)
    chex.assert_trees_all_equal(one.data, alone.data)
    chex.assert_trees_all_equal(
        one.auxiliary["classifier"].data, alone.auxiliary["classifier"].data
    )
    assert (zero.data["canonical"].index != one.data["canonical"].index).any()


def test_an_idle_expert_is_restarted_in_training():
    config = tiny.icm()
    system = tiny.build_icm(config, tiny.splits())
    state = jax.jit(system.init)(jax.random.key(0))
    # One expert holds everything and one nothing, at the step before the look.
    state = state._replace(share=jnp.array([1.0, 0.0]), steps=jnp.int32(3))
    data = jax.tree.map(jnp.asarray, system.given)
    step = jax.jit(system.phases[1].step)
    new, metrics = step(state, data, jax.random.key(0))
    assert metrics["restarts"].total == 1
    chex.assert_trees_all_equal(
        take_expert(new.experts.statistics, 0), take_expert(new.experts.statistics, 1)
    )


def test_a_mixture_decides_how_often_a_mechanism_is_drawn():
    mechanisms.register("black")(lambda key, image: 0 * image)
    mechanisms.register("white")(lambda key, image: 0 * image + 1)
    config = tiny.icm()
    config.batch_size, config.mixture, config.mechanisms = 20, (1, 9), ("black", "white")
    try:
        images = build_images(config, tiny.splits())
    finally:
        mechanisms.unregister("black")
        mechanisms.unregister("white")
    data = jax.tree.map(jnp.asarray, tiny.build_icm(tiny.icm(), tiny.splits()).given)
    keys = jax.random.split(jax.random.key(0), 50)
    drawn = jnp.stack([images.draw(data, key, 20)[:, 0, 0, 0] for key in keys])
    # A binomial of 1000 and 0.9 has a deviation of 0.0095.
    assert abs(drawn.mean() - 0.9) < 0.04


def test_few_canonical_images_are_few_and_the_judge_knows_all():
    config = tiny.icm()
    config.data.canonical = 9
    system = tiny.build_icm(config, tiny.splits())
    full = tiny.build_icm(tiny.icm(), tiny.splits())
    assert system.data["canonical"].count == 9
    np.testing.assert_array_equal(
        drawn(system.given, "canonical"), drawn(full.given, "canonical")[:9]
    )
    chex.assert_trees_all_equal(
        system.auxiliary["classifier"].data, full.auxiliary["classifier"].data
    )
    config.data.canonical = 7
    with pytest.raises(ValueError, match="batch_size: 8 is more than the 7 canonical images"):
        tiny.build_icm(config, tiny.splits())


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("experts.patch", 5, "experts.patch: 5 does not divide images of 12x12"),
        ("discriminator.stages", ((2,),) * 4, "stages: one more than images have room for"),
    ],
)
def test_networks_that_images_do_not_suit_are_refused_before_a_judge_learns(field, value, message):
    config = tiny.icm()
    config.experts.kind = "residual"
    config.update_from_flattened_dict({field: value})
    with pytest.raises(ValueError, match=message):
        tiny.build_icm(config, tiny.splits())


def test_pruned_experts_win_nothing_and_the_others_keep_their_numbers():
    config = tiny.icm()
    config.experts.count, config.experts.prune = 4, 0.1
    system = tiny.build_icm(config, tiny.splits())
    state = jax.jit(system.init)(jax.random.key(0))
    state = state._replace(share=jnp.array([0.05, 0.5, 0.0, 0.45]))
    pruned, kept = prune(state, 0.1)
    assert kept.tolist() == [1, 3]
    for i, e in enumerate(kept):
        chex.assert_trees_all_equal(take_expert(pruned.experts, i), take_expert(state.experts, e))
    nobody, kept = prune(state, 0.9)
    assert kept.tolist() == [1] and nobody.share.shape == (1,)

    judge = {"classifier": jax.jit(system.auxiliary["classifier"].init)(jax.random.key(0))}
    found = system.evaluate(state, judge, True)
    specialization = found.summary["specialization"]
    assert specialization["dropped"] == [0, 2]
    assert {0, 2} <= set(specialization["idle"])
    assert specialization["found"] in (1, 2)
    wins = np.array(specialization["wins"])
    assert wins.shape == (2, 4) and not wins[:, [0, 2]].any()
    np.testing.assert_allclose(wins.sum(axis=1), 1)
    assert np.isnan(np.array(found.scalars["scores"])[:, [0, 2]]).all()
    # During training nobody is dropped.
    assert not np.isnan(np.array(system.evaluate(state, judge, False).scalars["scores"])).any()
    assert system.figures(found, [])
