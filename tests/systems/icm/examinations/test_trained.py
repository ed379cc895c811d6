"""Banks that examinations train: measured by hand-made experts, put together, trained on."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from systems.icm import tiny

from icm_jax import banks, data, mechanisms, restore
from icm_jax.config import to_dict
from icm_jax.schema import check_settings
from icm_jax.systems.icm.examinations import EXAMINATIONS, forgetting, recombination
from icm_jax.systems.icm.examinations.trained import (
    Asked,
    Measured,
    known_canonical,
    measure_bank,
)
from icm_jax.systems.icm.restore import Restored


class HandMade:
    """Expert 1 undoes inversion; expert 0 leaves images as they are, and wins the darker ones."""

    numbers = np.arange(2)

    def compete(self, images):
        images = np.asarray(images)
        dark = images.mean(axis=(1, 2, 3)) < 0.5
        restored = np.where(dark[:, None, None, None], images, 1 - images)
        return Restored(restored, np.where(dark, 0, 1), None)


def test_a_bank_is_measured_by_what_its_winners_make():
    images = (np.arange(4, dtype=np.float32) / 10)[:, None, None, None]  # classes 0 to 3
    classify = lambda x: np.round(10 * np.asarray(x)[:, 0, 0, 0])  # noqa: E731
    asked = Asked(classify, images, np.array([0, 1, 2, 0]), 4, jax.random.key(0))
    found = measure_bank(HandMade(), ["invert", {"name": "exposure", "stops": 0.0}], asked)
    # The label of the last image is wrong.
    assert found.accuracy.tolist() == [0.75, 0.75]
    assert found.wins.tolist() == [[0, 1], [1, 0]]
    assert found.said() == {"accuracy": [0.75, 0.75], "identified": 2}
    shared = Measured(np.array([1.0]), np.array([[0.5, 0.5]]))
    assert shared.said()["identified"] == 0


def test_winners_keep_their_numbers_where_others_were_dropped():
    class Left(HandMade):
        numbers = np.array([1, 3])

        def compete(self, images):
            restored = super().compete(images)
            return restored._replace(expert=self.numbers[restored.expert])

    images = np.full((2, 1, 1, 1), 0.1, np.float32)
    asked = Asked(lambda x: np.zeros(len(x)), images, np.zeros(2), 2, jax.random.key(0))
    found = measure_bank(Left(), ["invert"], asked)
    assert found.wins.tolist() == [[0, 0, 0, 1]]


def test_a_run_on_groups_or_on_one_mechanism_cannot_be_examined(tmp_path):
    config = tiny.icm()
    config.mechanisms = ("invert",)
    with pytest.raises(ValueError, match="^mechanisms: 1 is not enough; the run must have 2 or"):
        recombination.check_halves(config)
    config.data.groups.attribute = "smile"
    (tmp_path / "config.json").write_text(json.dumps(to_dict(config)))
    for examination in EXAMINATIONS.values():
        with pytest.raises(ValueError, match="^data.groups.attribute: 'smile': examinations are"):
            examination.examine(tmp_path, examination.settings.defaults())


@pytest.mark.parametrize(
    ("kind", "field"), [("few", "mechanism"), ("robustness", "weaker"), ("diagnosis", "unknown")]
)
def test_mechanisms_in_settings_are_those_that_there_are(kind, field):
    schema = EXAMINATIONS[kind].settings
    settings = schema.defaults()
    settings[field] = ("hazee",)
    with pytest.raises(ValueError, match=f"^{field}: .*'hazee' is not registered"):
        check_settings(settings, schema)


def test_canonical_images_are_as_many_as_the_run_knew():
    config, splits = tiny.icm(), tiny.splits()
    known = known_canonical(config, splits)
    config.data.canonical = 9
    np.testing.assert_array_equal(known_canonical(config, splits), known[:9])


def test_halves_are_every_other_mechanism():
    config = tiny.icm()
    config.mechanisms, config.mixture = ("invert", "noise", "blur"), (1, 2, 3)
    config.seed = 3
    first, second = (recombination.half_config(config, half, 7) for half in (0, 1))
    assert (first.mechanisms, first.mixture) == (("invert", "blur"), (1, 3))
    assert (second.mechanisms, second.mixture) == (("noise",), (2,))
    assert (first.experts.count, second.experts.count) == (2, 1)
    assert first.competition.steps == 7
    assert (first.seed, second.seed) == (1006, 1007) and config.seed == 3


def test_new_mechanisms_come_with_new_experts(folder_run):
    bank = banks.load(folder_run[0])
    config = bank.config.copy_and_resolve_references()
    config.mechanisms, config.mixture = ("invert", "noise", "blur", "haze"), (1, 2, 3, 4)
    config.competition.balance = 0.5
    bank = bank._replace(config=recombination.half_config(config, 0, 5))
    for frozen, kept in ((True, 2), (False, 0)):
        grown = forgetting.grow(bank, config, 9, frozen)
        assert (grown.config.mechanisms, grown.config.mixture) == (("noise", "haze"), (2, 4))
        assert (grown.config.experts.count, grown.new, grown.frozen) == (4, 2, kept)
        assert grown.config.competition.steps == 9
    both = recombination.put_together([bank, bank], config, 50)
    assert (both.config.experts.count, both.config.competition.steps) == (4, 50)
    assert both.config.mechanisms == config.mechanisms and len(both.state.share) == 4
    for restarts, every in ((True, 4), (False, 0)):
        left = forgetting.leave_out(bank._replace(config=config), 1, 3, restarts)
        assert left.config.mechanisms == ("invert", "blur", "haze")
        assert left.config.mixture == (1, 3, 4)
        assert left.config.competition.restart.every == every
        assert left.config.competition.balance == 0 < config.competition.balance
        assert config.mechanisms[1] == "noise"


def test_a_mixture_is_one_mechanism():
    mechanism = mechanisms.build({"name": "any_of", "of": ("invert", "haze")})
    keys, image = jax.random.split(jax.random.key(0), 200), jnp.full((2, 2, 1), 0.2)
    made = np.asarray(jax.vmap(mechanism, (0, None))(keys, image))[:, 0, 0, 0]
    inverted = np.isclose(made, 0.8)
    assert (inverted | np.isclose(made, 0.6)).all()
    assert 70 < inverted.sum() < 130


@pytest.mark.parametrize(
    ("module", "changes", "ways"),
    [
        (
            recombination,
            {"steps": 0, "discriminator_steps": 0, "together": 0},
            ["one bank of all", "first's discriminator", "second's discriminator"],
        ),
        (
            forgetting,
            {"steps": 0, "more": 0, "filters": 2, "away": 0},
            ["experts, first half", "new experts beside, old compete"],
        ),
    ],
)
def test_a_finished_run_is_examined(folder_run, module, changes, ways):
    workdir, _ = folder_run
    settings = module.SETTINGS.defaults()
    settings.images = 4
    settings.update(changes)
    found = module.examine(workdir, settings)
    assert list(found["ways"])[: len(ways)] == ways
    assert all(len(of["accuracy"]) == 2 for of in found["ways"].values())
    numbers = module.numbers(found)
    assert all(0 <= value <= 1 or "identified" in name for name, value in numbers.items())
    head, rows = module.tables([found, found])["ways"]
    assert [row[0] for row in rows] == list(found["ways"]) and len(rows[0]) == len(head)
    (figure,) = module.figures([found]).values()
    figure.canvas.draw()


def test_the_whole_bank_is_measured_as_it_restores(folder_run):
    workdir, _ = folder_run
    settings = recombination.SETTINGS.defaults()
    settings.images, settings.steps, settings.discriminator_steps, settings.together = 4, 0, 0, 0
    found = recombination.examine(workdir, settings)
    restorer, judge = restore.load(workdir), restore.load_judge(workdir)
    test = data.load(folder_run[1].data).test
    inverted = 255 - test.images[:4]
    right = np.asarray(judge(restorer(inverted).images)) == test.labels[:4]
    assert found["ways"][recombination.ONE]["accuracy"][1] == right.mean()


def test_a_mechanism_that_is_not_there_cannot_go(folder_run):
    settings = forgetting.SETTINGS.defaults()
    settings.gone = 2
    with pytest.raises(ValueError, match="gone: 2 is not allowed; it must be below 2"):
        forgetting.examine(folder_run[0], settings)


def test_accuracies_are_of_the_right_mechanisms():
    found = {
        "seed": 0,
        "mechanisms": ["a", "b", "c"],
        "half": [0, 1, 0],
        "gone": "c",
        "ways": {
            "experts, first half": {"accuracy": [0.8, 0.1, 1.0]},
            "the whole bank": {"accuracy": [0.5, 0.5, 0.7]},
        },
    }
    assert forgetting.numbers(found) == pytest.approx(
        {
            "accuracy first, experts, first half": 0.9,
            "accuracy second, experts, first half": 0.1,
            "accuracy gone, the whole bank": 0.7,
        }
    )
    assert forgetting.tables([found])["ways"][1][1][3] == 0.7
