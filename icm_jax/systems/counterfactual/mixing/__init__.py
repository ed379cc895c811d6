"""What generative models mix up: a variational autoencoder on coloured digits."""

from icm_jax.systems.counterfactual.generation import load
from icm_jax.systems.counterfactual.mixing.build import build_seeds, digests
from icm_jax.systems.counterfactual.mixing.config import SCHEMA
from icm_jax.systems.counterfactual.mixing.evaluation import numbers
from icm_jax.systems.counterfactual.mixing.report import MEASURES, tell
from icm_jax.systems.kind import Kind

KIND = Kind(
    schema=SCHEMA,
    load=load,
    build=build_seeds,
    story=tell,
    numbers=numbers,
    measures=MEASURES,
    parts=digests,
)
