import numpy as np

from icm_jax.evaluation.projection import principal_plane


def test_the_principal_plane_has_the_largest_variances():
    rng = np.random.RandomState(0)
    scales = np.array([0.1, 5.0, 0.1, 2.0])
    points = rng.normal(size=(400, 4)) * scales
    plane = principal_plane(points)
    assert plane.shape == (400, 2) and plane.dtype == np.float32
    np.testing.assert_allclose(plane.std(axis=0), [5.0, 2.0], rtol=0.15)
    assert abs(np.corrcoef(plane[:, 0], points[:, 1])[0, 1]) > 0.99
