import functools
import json
import re
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny
from systems.icm.tiny import take_expert

from icm_jax import banks, experiment, restore
from icm_jax.systems.icm.state import init
from icm_jax.training import WorkdirError

README = (Path(__file__).parents[3] / "README.md").read_text()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs, of seeds 0 and 1, that took no step."""
    folders = []
    for seed in range(2):
        config = tiny.icm()
        config.seed = seed
        config.classifier.steps = config.initialization.steps = config.competition.steps = 0
        folders.append(tmp_path_factory.mktemp("run"))
        experiment.run(config, folders[-1], data=tiny.splits())
    return folders


@pytest.fixture(scope="module")
def two(runs):
    return [restore.load(folder) for folder in runs]


IMAGES = np.random.RandomState(0).rand(5, 12, 12, 1).astype(np.float32)


def logits(discriminator, images):
    model, state = discriminator
    return np.asarray(model.logits(state.discriminator.params, jnp.asarray(images)))


def test_a_merged_bank_has_the_experts_of_both(two):
    outputs = np.concatenate([one.score(IMAGES).outputs for one in two])
    for choice in (0, 1):
        merged = banks.merge(two, choice)
        scored = merged.score(IMAGES)
        np.testing.assert_allclose(scored.outputs, outputs, atol=1e-6)
        np.testing.assert_allclose(scored.logits, logits(two[choice][:2], outputs), atol=1e-5)
    assert merged.numbers.tolist() == [0, 1, 2, 3]
    assert merged.mechanisms == two[0].mechanisms + two[1].mechanisms
    mean = banks.merge(two).score(IMAGES)
    each = [logits(one[:2], outputs) for one in two]
    np.testing.assert_allclose(mean.logits, (each[0] + each[1]) / 2, atol=1e-5)
    np.testing.assert_allclose(
        mean.own, (logits(two[0][:2], IMAGES) + logits(two[1][:2], IMAGES)) / 2, atol=1e-5
    )


def test_what_a_bank_goes_on_with_must_be_of_its_shapes(runs, tmp_path):
    bank = banks.load(runs[0])
    for field, value, where in (
        ("experts.filters", 7, r"\.experts\.params"),
        ("experts.count", 4, r"\.experts\.params"),
    ):
        config = bank.config.copy_and_resolve_references()
        config.update_from_flattened_dict({field: value})
        message = f"config: {where}.* has shape .* in the bank and .* here; leave experts"
        with pytest.raises(ValueError, match=message):
            experiment.run(config, tmp_path, data=tiny.splits(), begin=bank.begin)


def test_a_run_belongs_to_the_experts_that_it_began_with(runs, tmp_path):
    first, second = map(banks.load, runs)
    config, made = first.config, {"data": tiny.splits()}
    experiment.run(config, tmp_path, begin=first.begin, **made)
    assert experiment.run(config, tmp_path, begin=first.begin, **made).finished_before
    for begin in (second.begin, None):
        with pytest.raises(WorkdirError, match="was made with other data, or began with other exp"):
            experiment.run(config, tmp_path, begin=begin, **made)


def test_hand_made_experts_win_what_is_theirs():
    """Two banks of one expert each, that make all pixels 0 and 1; who scores best is theirs."""

    class Judge:
        def apply(self, variables, images):
            return variables["params"] * images.mean(axis=(1, 2, 3))

    mean = banks.MeanScore(Judge())
    images = jnp.array([0.0, 1.0])[:, None, None, None]
    # The mean of 3 x and -1 x is x.
    np.testing.assert_allclose(mean.apply({"params": [3.0, -1.0]}, images), [0, 1])


def test_banks_that_do_not_go_together(two):
    wide = tiny.icm()
    wide.experts.filters = 4
    model = banks.make_model(wide)
    for other, message in (
        (two[1]._replace(model=model), "restorers: number 1 has other networks"),
        (two[1]._replace(padded_shape=(14, 14, 1)), "restorers: number 1 has other networks"),
    ):
        with pytest.raises(ValueError, match=message):
            banks.merge([two[0], other])
    for choice in (2, "best", -1, True, 1.0):
        with pytest.raises(ValueError, match="discriminator: .* must be 'mean' or the number"):
            banks.merge(two, choice)
    with pytest.raises(ValueError, match="restorers: none"):
        banks.merge([])
    with pytest.raises(ValueError, match="count: 0 is not allowed"):
        banks.add_experts(banks.Bank(tiny.icm(), None, (12, 12, 1)), 0)


def test_a_new_discriminator_learns_from_canonical_images(two):
    images = tiny.splits().train.images
    merged = banks.merge(two)
    learned = banks.learn_discriminator(merged, images, steps=200, batch_size=8)
    real = images[:12] / np.float32(255)
    scored = learned.score(real)
    # What untrained experts make of everything is easily told.
    assert scored.own.mean() > 0 > scored.logits.mean()
    chex.assert_trees_all_equal(learned.state.experts, merged.state.experts)
    assert type(learned.model.discriminator) is type(two[0].model.discriminator)


def test_banks_that_are_merged_twice_get_a_new_discriminator_too(two):
    merged = banks.merge([banks.merge(two), banks.merge(two)])
    images = np.zeros((2, *merged.padded_shape), np.uint8)
    merged = merged._replace(lead=1.0)  # measured in logits of the old one
    learned = banks.learn_discriminator(merged, images, steps=1, batch_size=2)
    assert learned.model.discriminator == two[0].model.discriminator
    assert learned.lead == banks.merge([merged, two[0]], discriminator=1).lead == 0
    # Floats are taken as well, and what cannot be is refused as by all that a bank does.
    same = banks.learn_discriminator(merged, images / np.float32(255), steps=1, batch_size=2)
    chex.assert_trees_all_equal(same.state.discriminator, learned.state.discriminator)
    with pytest.raises(ValueError, match="^images: 3x3 pixels with 1 channel; the run was trained"):
        banks.learn_discriminator(merged, np.zeros((2, 3, 3, 1), np.uint8))


def test_states_are_joined_expert_by_expert():
    config = tiny.icm()
    model, example = banks.make_model(config), jnp.zeros((1, 12, 12, 1))
    one, other = (
        jax.jit(lambda key: init(model, 2, example, key))(jax.random.key(k)) for k in (0, 1)
    )
    joined = banks.merge_states([one._replace(steps=jnp.int32(9)), other])
    assert joined.share.tolist() == [0.25] * 4 and joined.steps == 0
    chex.assert_trees_all_equal(take_expert(joined.experts, 1), take_expert(one.experts, 1))
    chex.assert_trees_all_equal(take_expert(joined.experts, 2), take_expert(other.experts, 0))
    chex.assert_trees_all_equal(joined.discriminator, one.discriminator)


@pytest.mark.slow
def test_new_experts_join_frozen_ones_of_a_finished_run(runs, tmp_path):
    bank = banks.load(runs[0])
    bank.config.competition.steps, bank.config.initialization.steps = 9, 2
    bank.config.competition.restart.every, bank.config.experts.prune = 3, 0.1
    bank.config.competition.balance = 0.5
    bank.config.log.every = bank.config.evaluation.every = bank.config.checkpoint.every = 9
    grown = banks.add_experts(bank, 1, frozen=True)
    assert grown.config.experts.count == 3 and grown.config.competition.restart.every == 0
    assert grown.restart.every == 3 and grown.config.experts.prune == 0
    assert bank.config.competition.balance == 0.5 and grown.config.competition.balance == 0
    assert banks.add_experts(grown, 1).restart.every == 3  # not 0, of a bank that has grown
    state = experiment.run(
        grown.config, tmp_path / "grown", data=tiny.splits(), begin=grown.begin
    ).state
    now = state.experts
    chex.assert_trees_all_equal(jax.tree.map(lambda t: t[:2], now), bank.state.experts)
    fresh = take_expert(grown.state.experts.params, 2)
    learned = take_expert(now.params, 2)
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(fresh), jax.tree.leaves(learned), strict=True)
    )
    # Another program restores with it as with any run.
    restorer = restore.load(tmp_path / "grown")
    assert restorer.numbers.tolist() == [0, 1, 2] and len(restorer.mechanisms) == 3


def test_the_readme_uses_finished_runs(runs, tmp_path, monkeypatch):
    code = re.findall(r"```python\n(.*?)```", README, re.S)[0]
    (tmp_path / "runs").mkdir()
    for name, folder in zip(("mnist", "other"), runs, strict=True):
        (tmp_path / "runs" / name).symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "icm_jax.run", functools.partial(experiment.run, data=tiny.splits()), raising=False
    )
    names = {"images": IMAGES}
    exec(code, names)
    assert names["found"].mechanism.shape == (5,)
    assert names["both"].numbers.tolist() == [0, 1, 2, 3]
    summary = json.loads((tmp_path / "runs" / "grown" / "summary.json").read_text())
    assert summary["specialization"]["mechanisms"] == ["blur"]
