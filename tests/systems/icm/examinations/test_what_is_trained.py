"""What examinations hand to training, and which bank each of their ways is; nothing is trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icm_jax import data, restore
from icm_jax.systems.icm.examinations import few, forgetting, recombination, rivals
from icm_jax.systems.icm.examinations.trained import Measured
from icm_jax.systems.icm.state import State


def begun(system):
    return system.init(jax.random.key(0))


@pytest.fixture
def trained(monkeypatch):
    """Stands for training: each bank has a `share` by which its restorer is known again.

    Returns:
      Name of what is trained -> how it was asked for, and its share; and the stand-ins.
    """
    asked = {}

    def mark(name, state, *how):
        asked[name] = (*how, round(0.1 * (1 + len(asked)), 1))
        return state._replace(share=jnp.full_like(state.share, asked[name][-1]))

    def train_bank(workdir, name, config, splits, begin=None):
        bank = getattr(begin, "__self__", None) or restore_bank(workdir)
        return bank._replace(state=mark(name, bank.state, config, splits, bank), config=config)

    def train_part(workdir, name, system, config):
        state = begun(system)
        if isinstance(state, State):
            return mark(name, state, system, config)._replace(steps=jnp.int32(7))
        asked[name] = (system, config)
        return state

    def restore_bank(workdir):
        return forgetting.banks.load(workdir)

    def measure_bank(restorer, specs, asked):
        return Measured(np.full(len(specs), float(restorer.state.share[0])), np.eye(len(specs)))

    for stand in (train_bank, train_part, measure_bank):
        for module in (few, forgetting, recombination, rivals):
            if hasattr(module, stand.__name__):
                monkeypatch.setattr(module, stand.__name__, stand)
    return asked


def test_old_experts_compete_or_are_frozen_and_one_network_goes_on(folder_run, trained):
    settings = forgetting.SETTINGS.defaults()
    settings.images, settings.steps, settings.more, settings.filters, settings.away = 4, 4, 5, 2, 3
    found = forgetting.examine(folder_run[0], settings)
    frozen = [trained[f"{name}_after_4"][2].frozen for name in ("compete", "frozen")]
    assert frozen == [0, 1]
    ways = {way: of["accuracy"][0] for way, of in found["ways"].items()}
    of = {name: pytest.approx(how[-1], abs=1e-6) for name, how in trained.items()}
    assert ways["experts, first half"] == of["half_0"]
    assert ways["new experts beside, old compete"] == of["compete_after_4"]
    assert ways["new experts beside, old frozen"] == of["frozen_after_4"]
    assert ways["one network, first half"] == of["network"]
    assert ways["one network, then the other"] == of["network_after_4"]
    assert ways["one away, with restarts"] == of["away_with_restarts"]
    assert ways["one away, without restarts"] == of["away_without_restarts"]
    # The network goes on with what it is, and with its rate from the start.
    first, (then, taught, _) = trained["network"], trained["network_after_4"]
    assert begun(then).share.tolist() == pytest.approx([first[-1]]) and begun(then).steps == 0
    assert begun(first[0]).steps == 0
    halves = [how[1].mechanisms[0]["of"] for how in (first, trained["network_after_4"])]
    assert halves == [("translate_right",), ("invert",)] and taught.competition.steps == 5
    without, left_out = trained["away_without_restarts"][0], trained["away_with_restarts"][0]
    assert without.mechanisms == left_out.mechanisms == ("invert",)
    assert without.competition.restart.every == 0 < left_out.competition.restart.every


def test_few_images_are_what_is_learned_from_and_the_new_expert_is_beside_frozen_ones(
    folder_run, trained
):
    settings = few.SETTINGS.defaults()
    settings.images, settings.counts, settings.new = 4, (3,), (2,)
    settings.steps, settings.new_steps, settings.mechanism = 6, 5, ("haze",)
    found = few.examine(folder_run[0], settings)
    config, splits, _, share = trained["few_3"]
    names = splits.train.attributes["mechanism"]
    assert [(names == name).sum() for name in ("invert", "translate_right")] == [3, 3]
    assert config.competition.steps == 6 and config.data.groups.attribute == "mechanism"
    (row,), (new,) = found["few"], found["new"]
    assert row["experts"]["accuracy"] == pytest.approx([share] * 2)
    pairs, taught, _ = trained["pairs_3"]
    assert int(pairs.data["transformed"].count) == 3 and taught.system == "oracle"
    assert len(pairs.data["transformed"].index) > 3  # of all, of which no more are drawn
    config, splits, bank, share = trained["new_2"]
    assert (bank.new, bank.frozen, config.experts.count) == (1, 2, 3)
    assert (splits.train.attributes["mechanism"] == "haze").sum() == 2
    assert new["expert"] == new["kept"][1] == pytest.approx(share)
    assert int(trained["pairs_2"][0].data["transformed"].count) == 2


def test_a_rival_learns_from_images_as_they_are_and_by_each_mechanism(
    folder_run, trained, monkeypatch
):
    workdir, config = folder_run
    splits, tasks, build = data.load(config.data), [], rivals.classification.build

    def building(settings, task, classifier):
        tasks.append(task)
        return build(settings, task, classifier)

    monkeypatch.setattr(rivals.classification, "build", building)
    rivals.train_augmented(workdir, config, splits, 3)
    system, _ = trained["augmented_3"]
    assert system.phases[0].steps == 3
    images, _ = tasks[0].draw({**system.shared, **system.data}, jax.random.key(0))
    known = {image.tobytes() for image in splits.train.images}
    drawn = np.round(255 * np.asarray(images)).astype(np.uint8)
    plain = np.array([image.tobytes() in known for image in drawn])
    inverted = np.array([(255 - image).tobytes() in known for image in drawn])
    assert plain.any() and inverted.any() and not (plain | inverted).all()  # others are shifted


def test_the_oracle_of_a_mechanism_undoes_it(folder_run, trained, monkeypatch):
    workdir, config = folder_run
    splits = data.load(config.data)
    undo = rivals.train_oracle(workdir, config, splits, 2)
    assert trained["oracle"][1].experts.count == len(config.mechanisms)

    class Scored:
        # Expert e makes all pixels e + 1.
        outputs = jnp.stack([jnp.full((3, 12, 12, 1), e + 1.0) for e in range(2)])

    monkeypatch.setattr(rivals.evaluation, "score", lambda model, state, images: Scored)
    images = jnp.zeros((3, 12, 12, 1))
    made = np.asarray(undo(images, np.array([1, -1, 0])))
    assert made[:, 0, 0, 0].tolist() == [2, 0, 1]
    assert restore.load(workdir).shape == (12, 12, 1)
