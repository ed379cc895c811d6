"""From a config to arrays: the one place that knows which sources there are."""

from typing import Any

from icm_jax.data import bundled
from icm_jax.data.split import restrict
from icm_jax.data.types import Splits

SOURCES = ("bundled",)


def load(config: Any) -> Splits:
    """Loads the data set that `config` names and keeps the classes it asks for."""
    if config.source not in SOURCES:
        raise ValueError(
            f"data.source: {config.source!r} is unknown; choose one of {', '.join(SOURCES)}"
        )
    return restrict(bundled.load(config.name), config.labels)
