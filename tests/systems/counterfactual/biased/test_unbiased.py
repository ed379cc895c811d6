"""Images to train on whose colours are of any class."""

import numpy as np
import pytest
from systems.counterfactual.biased.digits import settings, splits

from icm_jax.systems.counterfactual import biased
from icm_jax.systems.counterfactual.biased import check_data


@pytest.mark.parametrize("name", ["colored", "double_colored", "wildlife"])
def test_a_share_of_each_environment_has_colors_of_any_class(name):
    whole = splits(6000, 12)
    made = biased.make(settings(set=name, unbiased=(0.5, 0.0)), whole, 0)
    labels, attributes = made.train.labels, made.train.attributes
    foreground = attributes["foreground"]
    # Half of the first environment, nine tenths of which are of another class: 45 %.
    assert 0.42 < (foreground != labels)[::2].mean() < 0.48
    assert (foreground == labels)[1::2].all()
    if "background" in attributes:
        others = (foreground != labels) & (attributes["background"] != labels)
        # Both parts are drawn, apart from each other, of the same images: 0.5 * 0.81.
        assert 0.37 < others[::2].mean() < 0.44
        assert 0.06 < (foreground == attributes["background"])[others].mean() < 0.16


def test_images_to_test_on_stay_as_they_are_and_so_do_the_published():
    whole = splits(600, 100)
    published, other = (
        biased.make(settings(set="double_colored", unbiased=unbiased), whole, 0)
        for unbiased in ((0.0,), (0.5, 0.5))
    )
    np.testing.assert_array_equal(published.train.attributes["foreground"], published.train.labels)
    for name, part in published.test.parts.items():
        np.testing.assert_array_equal(part, other.test.parts[name])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unbiased": ()}, r"^data.unbiased: \(\) is not allowed; it must be shares of 1 env"),
        ({"unbiased": (0.1,), "set": "folder"}, r"^data.unbiased: \(0.1,\) is not allowed with"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        check_data(settings(**changes))
