import numpy as np

from icm_jax.chunks import in_chunks


def test_chunks_have_one_size_and_are_put_together():
    seen = []

    def call(index):
        seen.append(index.tolist())
        return {"square": index**2, "pair": np.stack([index, -index], axis=1)}

    found = in_chunks(call, 5, size=3)
    assert seen == [[0, 1, 2], [3, 4, 4]]  # the last one filled up with the last item
    np.testing.assert_array_equal(found["square"], [0, 1, 4, 9, 16])
    np.testing.assert_array_equal(found["pair"], [[i, -i] for i in range(5)])
