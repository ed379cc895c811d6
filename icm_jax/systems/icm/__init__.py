"""Independent causal mechanisms (Parascandolo et al. 2018), their oracle, and the judge alone."""

from icm_jax import data
from icm_jax.systems.icm import judge, stories, summary
from icm_jax.systems.icm.build import build_competition, build_judge, build_oracle
from icm_jax.systems.icm.config import SCHEMAS
from icm_jax.systems.icm.examinations import EXAMINATIONS
from icm_jax.systems.icm.uses import USES
from icm_jax.systems.kind import Curve, Kind


def _load(config):
    return data.load(config.data)


KINDS = {
    "icm": Kind(
        schema=SCHEMAS["icm"],
        load=_load,
        build=build_competition,
        story=stories.tell_competition,
        numbers=summary.numbers,
        measures=stories.MEASURES,
        curve=Curve("identified", "identified", "Mechanisms identified along training"),
        parts=judge.digests,
        examinations=EXAMINATIONS,
        uses=USES,
    ),
    "oracle": Kind(
        schema=SCHEMAS["oracle"],
        load=_load,
        build=build_oracle,
        story=stories.tell_oracle,
        numbers=summary.numbers,
        measures=stories.MEASURES,
        parts=judge.digests,
    ),
    "classification": Kind(
        schema=SCHEMAS["classification"],
        load=_load,
        build=build_judge,
        story=stories.tell_judge,
        numbers=lambda summary, records: {"accuracy": summary["accuracy"]["test"]},
        measures=stories.MEASURES,
    ),
}
