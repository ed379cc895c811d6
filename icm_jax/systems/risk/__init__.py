"""Risk-aware training: networks that say what they do not know."""

from icm_jax.systems.risk import detection, regression

KINDS = {
    "risk_regression": regression.KIND,
    "risk_faces": detection.KIND,
}
