"""The check of masks on masks that are made."""

import numpy as np
import pytest

from icm_jax.systems.counterfactual.masks import check_masks

BLANK = np.zeros((2, 32, 32, 1))


def drawn(rows, columns, value=1.0):
    masks = BLANK.copy()
    masks[:, rows, columns] = value
    return masks


MIDDLE = drawn(slice(10, 22), slice(10, 22))  # 12 x 12 of 32 x 32: 14.1 %
FRAME = 1024 - 26**2  # pixels of the frame


@pytest.mark.parametrize(
    ("masks", "fault"),
    [
        (MIDDLE, ""),
        (BLANK, "empty"),
        (drawn(slice(10, 15), slice(10, 16)), "empty"),  # 30 of 1024 pixels are less than 3 %
        (drawn(slice(10, 16), slice(10, 16)), ""),  # 36 are 3.5 %
        (1 - MIDDLE, "inverted"),
        (BLANK + 1, "full"),
        (drawn(slice(3, 29), slice(3, 29)), "full"),  # 26 x 26: 66 %, nothing of the frame
        (drawn(slice(0, 12), slice(3, 29)), "touching"),  # 78 pixels of the frame of 348: 22 %
        (drawn(slice(0, 12), slice(14, 24)), ""),  # 30: 8.6 %
        (drawn(slice(3, 29), slice(3, 29)) - MIDDLE, "inverted"),  # 52 %, all but the middle
        (1 - drawn(slice(3, 29), slice(3, 29)), "inverted"),  # the frame alone, 34 %
    ],
)
def test_faults_have_names(masks, fault):
    check = check_masks(masks)
    assert check.fault == fault
    assert check.area == pytest.approx(masks.mean())
    of_frame = masks.sum() - masks[:, 3:29, 3:29].sum()
    assert check.frame == pytest.approx(of_frame / (2 * FRAME))
