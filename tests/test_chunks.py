import numpy as np

from icm_jax.chunks import equal_parts, in_chunks


def test_chunks_have_one_size_and_are_put_together():
    seen = []

    def call(index):
        seen.append(index.tolist())
        return {"square": index**2, "pair": np.stack([index, -index], axis=1)}

    found = in_chunks(call, 5, size=3)
    assert seen == [[0, 1, 2], [3, 4, 4]]  # the last one filled up with the last item
    np.testing.assert_array_equal(found["square"], [0, 1, 4, 9, 16])
    np.testing.assert_array_equal(found["pair"], [[i, -i] for i in range(5)])


def test_equal_parts_by_hand():
    assert equal_parts(100, 5) == 20
    assert equal_parts(10, 4) == 5  # of two: 10 has no part of 3 or 4
    assert equal_parts(7, 5) == 7
    assert equal_parts(4, 10) == 1
    assert equal_parts(3, 0) == 3
