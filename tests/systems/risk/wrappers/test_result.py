"""What models answer: known arithmetic, and the law by which risks of equals become one."""

import chex
import jax
import numpy as np
import pytest
from systems.risk.wrappers.nets import program

from icm_jax.systems.risk.wrappers import result
from icm_jax.systems.risk.wrappers.result import CLASSES, Risk

combine = program(result.combine)
staged = program(lambda risk: result.combine(jax.vmap(result.combine)(risk)))
close = np.testing.assert_allclose


def column(*numbers):
    return np.array(numbers, np.float32)[:, None]


def members(*numbers):
    """Of members `[M]` one number of one input: `[M, 1, 1]`."""
    return np.array(numbers, np.float32)[:, None, None]


def distributions(seed, *shape):
    """Random distributions, float32 `[..., L]`."""
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1]).astype(np.float32)


def of_classes(probabilities):
    """A risk of classes as `categorical` describes it."""
    each = -(probabilities * np.log(probabilities)).sum(-1)
    return Risk(probabilities, each, task=CLASSES)


def test_total_is_the_sum_of_what_is_there():
    both = Risk(column(0, 0), aleatoric=column(3, 8), epistemic=column(1, 1))
    np.testing.assert_array_equal(both.total(), column(4, 9))
    np.testing.assert_array_equal(both.replace(epistemic=None).total(), column(3, 8))
    np.testing.assert_array_equal(both.replace(aleatoric=None).total(), column(1, 1))


def test_std_and_interval_of_a_gaussian():
    risk = Risk(column(10, 10), aleatoric=column(3, 8), epistemic=column(1, 1))
    answers = program(lambda risk: (risk.std(), risk.interval(0.9), risk.interval(0.6826895)))
    std, (low, high), (_, one_up) = answers(risk)
    close(std, column(2, 3))  # roots of 4 and 9
    # 5 % of a standard normal lie above 1.6448536.
    close(low, column(10 - 3.2897072, 10 - 4.9345608), rtol=1e-6)
    close(high, column(10 + 3.2897072, 10 + 4.9345608), rtol=1e-6)
    # Within one standard deviation lie 68.26895 %.
    close(one_up, column(12, 13), rtol=1e-6)


def test_affine_scales_variances_by_the_square():
    rows = np.array([[1, 2], [3, 4]], np.float32)
    risk = Risk(rows, aleatoric=rows, epistemic=rows, density=rows[:, 0], novelty=rows[:, 1])
    new = program(lambda risk: risk.affine(np.array([-2, 10]), 1))(risk)
    np.testing.assert_array_equal(new.prediction, [[-1, 21], [-5, 41]])
    np.testing.assert_array_equal(new.aleatoric, [[4, 200], [12, 400]])
    np.testing.assert_array_equal(new.epistemic, [[4, 200], [12, 400]])
    np.testing.assert_array_equal(new.density, [1, 3])  # of inputs: they are what they were
    np.testing.assert_array_equal(new.novelty, [2, 4])
    assert jax.eval_shape(lambda: Risk(rows).affine(3.0, 0.5)).aleatoric is None


def test_indices_take_all_fields():
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    risk = Risk(rows, aleatoric=rows + 10, density=rows[:, 0], task=CLASSES)
    chex.assert_trees_all_equal(
        risk[1:], Risk(rows[1:], rows[1:] + 10, density=rows[1:, 0], task=CLASSES)
    )
    few = risk[np.array([True, False, True])]
    np.testing.assert_array_equal(few.density, [0, 4])
    assert few.epistemic is None and few.task == CLASSES
    np.testing.assert_array_equal(risk[2].prediction, [4, 5])


def test_nobody_unpacks_a_risk():
    with pytest.raises(TypeError, match="not iterable"):
        iter(Risk(column(0, 0)))


def test_combining_numbers_by_hand():
    risk = combine(
        Risk(members(1, 3), members(0.5, 1.5), members(0.25, 0.75), novelty=members(2, 4)[..., 0])
    )
    # Mean 2; the squares of -1 and 1 over M - 1 are 2, and inside there was .5 on the mean.
    chex.assert_trees_all_equal(risk, Risk(column(2), column(1), column(2.5), novelty=column(3)[0]))
    alone = combine(Risk(members(1, 3)))
    chex.assert_trees_all_equal(alone, Risk(column(2), epistemic=column(2)))


def test_total_variance_of_random_members():
    mean, variance = np.random.default_rng(0).uniform(0.5, 2, (2, 5, 4, 3)).astype(np.float32)
    risk = combine(Risk(mean, variance))
    # Second moment less squared first of the mixture; its variance of means is divided by M.
    of_mixture = (variance + mean**2).mean(0) - mean.mean(0) ** 2
    close(risk.aleatoric + risk.epistemic * 4 / 5, of_mixture, rtol=1e-5)
    close(risk.prediction, mean.mean(0), rtol=1e-6)


def test_combining_classes_by_hand():
    certain = np.array([[[1, 0]], [[0, 1]]], np.float32)
    risk = combine(Risk(certain, np.zeros((2, 1), np.float32), task=CLASSES))
    # Each is sure of another class: all is disagreement, the log of 2.
    close(risk.prediction, [[0.5, 0.5]])
    close(risk.aleatoric, [0], atol=1e-7)
    close(risk.epistemic, [np.log(2)], rtol=1e-6)
    same = combine(of_classes(np.tile(distributions(0, 1, 3), (4, 1, 1))))
    close(same.epistemic, [0], atol=1e-6)


def test_total_entropy_is_mean_entropy_and_mutual_information():
    each = distributions(1, 5, 7, 3)
    risk = combine(of_classes(each))
    # Mutual information by its definition: the mean divergence of members from their mean.
    divergence = (each * np.log(each / each.mean(0))).sum(-1).mean(0)
    close(risk.epistemic, divergence, atol=2e-6)
    close(risk.total(), of_classes(each.mean(0)).aleatoric, rtol=1e-5)
    close(risk.aleatoric, of_classes(each).aleatoric.mean(0), rtol=1e-5)


def test_groups_of_members():
    """Combined in two stages classes lose nothing; numbers add the variances of both stages."""
    each = distributions(2, 2, 3, 4, 3)  # 2 groups of 3 members
    flat = combine(of_classes(each.reshape(6, 4, 3)))
    chex.assert_trees_all_close(staged(of_classes(each)), flat, atol=2e-6)

    numbers = np.random.default_rng(3).normal(size=(2, 3, 4, 1)).astype(np.float32)
    risk = staged(Risk(numbers))
    within, between = numbers.var(1, ddof=1).mean(0), numbers.mean(1).var(0, ddof=1)
    close(risk.epistemic, within + between, rtol=1e-5)


def test_density_of_a_mixture():
    log = np.log(np.array([[0.2, 0.1], [0.4, 0.5]], np.float32))
    close(combine(Risk(members(0, 0), density=log)).density, np.log([0.3, 0.3]), rtol=1e-6)
    # exp(-2000) is 0 in any float, its log is not asked for: log((1 + 1/e) / 2) below the greater.
    far = np.array([[-2000], [-2001]], np.float32)
    density = combine(Risk(members(0, 0), density=far)).density
    close(density, [-2000 + np.log((1 + np.exp(-1)) / 2)], rtol=1e-6)


@pytest.mark.parametrize("task", ["regression", CLASSES])
def test_one_alone_is_what_it_was(task):
    rows = np.random.default_rng(4).random((3, 2), np.float32)
    alone = Risk(rows, aleatoric=rows[:, 0], density=rows[:, 1], task=task)
    chex.assert_trees_all_equal(combine(jax.tree.map(lambda field: field[None], alone)), alone)


def test_entropy():
    # Of an even coin log 2; of nine to one .325083; a sure one has none, without a NaN.
    of = program(result.entropy)(np.array([[0.5, 0.5], [0.9, 0.1], [0, 1]], np.float32))
    close(of, [np.log(2), 0.325083, 0], rtol=1e-6)


def test_none_passes_through_transformations():
    risk = Risk(np.ones((4, 3, 2), np.float32), density=np.ones((4, 3), np.float32), task=CLASSES)

    @program
    def all_of_them(risk):
        doubled = jax.tree.map(lambda field: 2 * field, risk)
        mapped = jax.vmap(lambda one: one.replace(prediction=one.prediction + 1))(doubled)
        return jax.lax.scan(lambda carry, one: (carry, one[:2]), 0, mapped)[1]

    out = all_of_them(risk)
    np.testing.assert_array_equal(out.prediction, np.full((4, 2, 2), 3))
    np.testing.assert_array_equal(out.density, np.full((4, 2), 2))
    assert (out.aleatoric, out.epistemic, out.novelty, out.task) == (None, None, None, CLASSES)


@pytest.mark.parametrize("level", [0, 1, 90, float("nan")])
def test_levels_are_probabilities(level):
    risk = Risk(column(0), column(1))
    with pytest.raises(ValueError, match=f"level: {level} is not allowed; it must be above 0"):
        risk.interval(level)


def test_refusals():
    with pytest.raises(ValueError, match="Risk: no uncertainty; wrap the network in mve, dropout"):
        Risk(column(0)).total()
    classes = Risk(column(1), np.zeros(1), task=CLASSES)
    for call in (classes.std, lambda: classes.interval(0.5), lambda: classes.affine(1, 0)):
        with pytest.raises(ValueError, match="of regression alone; classes have entropies"):
            call()
