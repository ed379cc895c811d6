"""A detector of faces that knows which of them it has hardly seen, and draws these more often."""

from icm_jax.systems.kind import Curve, Kind
from icm_jax.systems.risk.detection.bins import EXAMINATIONS
from icm_jax.systems.risk.detection.build import build_seeds, load
from icm_jax.systems.risk.detection.config import SCHEMA
from icm_jax.systems.risk.detection.evaluation import numbers
from icm_jax.systems.risk.detection.stories import MEASURES, tell
from icm_jax.systems.risk.detection.use import USES

KIND = Kind(
    schema=SCHEMA,
    load=load,
    build=build_seeds,
    story=tell,
    numbers=numbers,
    measures=MEASURES,
    curve=Curve("worst_group", "worst group", "Recall of the worst group"),
    examinations=EXAMINATIONS,
    uses=USES,
)
