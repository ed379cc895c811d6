"""Pictures along training: when they are kept, what they show, and that a record has none."""

from types import SimpleNamespace

import numpy as np
import pytest
from systems.counterfactual.generation import tiny

from icm_jax.systems.counterfactual.generate import make_generate
from icm_jax.systems.counterfactual.generation import history, use


def config_of(steps, every):
    config = tiny.counterfactual()
    config.steps, config.evaluation.every = steps, every
    return config


@pytest.mark.parametrize(
    ("steps", "every", "kept"),
    [
        (0, 5, [1]),
        (4, 2, [1, 2]),
        (5, 2, [1, 2, 3]),  # at steps 2, 4 and 5
        (20_000, 1000, [1, 5, 9, 12, 16, 20]),  # 1 + 19 i / 5: 4.8, 8.6, 12.4, 16.2
    ],
)
def test_moments_by_hand(steps, every, kept):
    assert history.moments(config_of(steps, every)) == kept


def test_some_evaluations_are_kept_in_order_and_the_last_one_is():
    config = config_of(steps=75, every=10)  # 8 evaluations: 1, 2, 4, 5, 7 and 8
    state = TinyState(0.0, history.empty(config, 3, 2))
    now = np.full((4, 3, 2, 2, 3), 0.25)
    found = history.shown(config, state.history, now)
    assert found["steps"].tolist() == [0] and (found["history"] == 64).all()
    for number in range(1, 9):
        state.average = number / 10
        state = history.observe(config, lambda v: np.full((4, 3, 2, 2, 3), v), state, {})
        if number == 4:
            found = history.shown(config, state.history, now)
            assert found["steps"].tolist() == [10, 20, 40]
    found = history.shown(config, state.history, now)
    assert found["steps"].tolist() == [10, 20, 40, 50, 70, 75]
    assert found["history"].shape == (6, 4, 3, 2, 2, 3) and found["history"].dtype == np.uint8
    assert found["history"][:, 0, 0, 0, 0, 0].tolist() == [26, 51, 102, 128, 178, 204]


class TinyState(SimpleNamespace):
    def __init__(self, average, history):
        super().__init__(average=average, history=history)

    def _replace(self, **changes):
        return TinyState(**(vars(self) | changes))


@pytest.mark.slow
def test_a_run_keeps_what_its_generator_made(run):
    workdir, result = run
    pictures, seen = result.state.history
    assert pictures.shape == (2, 4, 4, 32, 32, 3) and seen == 2
    generator = use.load(workdir)
    parts = history.show_parts(
        make_generate(generator.mechanisms), 10, tiny.counterfactual(), generator.variables
    )
    assert np.abs(pictures[1] - np.round(parts[:, :4] * 255)).max() <= 1
    assert (pictures[0] != pictures[1]).any()
    # Each image is composed of the parts above it.
    mask, foreground, background, image = pictures[1] / 255
    composed = mask * foreground + (1 - mask) * background
    np.testing.assert_allclose(image, composed, atol=0.02)
    assert (workdir / "figures" / "history.png").is_file()
    assert "figures/history.png" in (workdir / "report.html").read_text()
    assert (workdir / "metrics.jsonl").stat().st_size < 10_000
