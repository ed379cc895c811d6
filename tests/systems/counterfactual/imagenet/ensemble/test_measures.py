import numpy as np
import pytest

from icm_jax.systems.counterfactual.imagenet import classes
from icm_jax.systems.counterfactual.imagenet.ensemble import measures


def confident(indices):
    """Logits `[N, 1000]` that are sure of the class at each index."""
    logits = np.zeros((len(indices), 1000), np.float32)
    logits[np.arange(len(indices)), indices] = 20
    return logits


def test_accuracy_of_the_first_and_of_the_first_few():
    logits = np.array([[3, 2, 1, 0.0], [0, 1, 2, 3.0], [1, 0, 3, 2.0]])
    labels = np.array([0, 1, 3])
    assert measures.accuracy(logits, labels) == pytest.approx(1 / 3)
    assert measures.accuracy(logits, labels, 2) == pytest.approx(2 / 3)
    assert measures.accuracy(logits, labels, 5) == 1


def test_a_category_is_decided_by_the_mean_of_its_classes():
    # Of 'a' two classes have .2 and .3, a mean of .25; of 'b' one has .26.
    logits = np.log(np.array([[0.2, 0.3, 0.26, 0.24]]))
    categories = {"a": np.array([0, 1]), "b": np.array([2])}
    assert measures.decide(logits, categories).tolist() == [1]


def test_the_shape_bias_of_predictions_with_a_known_answer():
    names = list(classes.cue_conflict())
    cat, dog, knife, car = (names.index(name) for name in ("cat", "dog", "knife", "car"))
    # What is said: shape, shape, texture, neither, and the shape of a cat with a cat's texture.
    logits = confident([281, 499, 151 + 1, 404, 283])
    shapes = np.array([cat, knife, cat, knife, cat])
    textures = np.array([dog, car, dog, car, cat])
    decided = measures.decide(logits, classes.cue_conflict())
    assert decided.tolist() == [cat, knife, dog, names.index("airplane"), cat]
    assert measures.shape_bias(decided, shapes, textures) == pytest.approx(2 / 3)
    assert measures.shape_bias(decided[3:], shapes[3:], textures[3:]) is None


def test_in9_counts_predictions_of_no_class_as_wrong():
    # A dog, a bird, a tabby (of no class of the nine), and a fish that is said to be a dog.
    logits = confident([200, 10, 281, 180])
    assert measures.in9_accuracy(logits, np.array([0, 1, 4, 8])) == 0.5
