"""Independent causal mechanisms in JAX and Flax: what a notebook or a program imports.

  default_config  the config of a system, every field with its default
  run             trains a config in a folder, or evaluates what was trained there
  mechanisms      what transforms images; `mechanisms.register` adds one
  Dataset, Splits images and labels of one's own
  banks           experts of finished runs, merged, or joined by new ones and trained on
  counterfactual  images that a trained generator makes: `counterfactual.load(workdir).draw(...)`
  risk            wrappers that make a network say what it does not know: `risk.mve`, ...
  restore         what a trained model makes of images; `restore.load`, `restore.export`

They are imported when they are asked for: a program can look at its surroundings before JAX does.
"""

import importlib
from typing import Any

_MODULES = {
    "banks": "icm_jax.systems.icm.banks",
    "counterfactual": "icm_jax.systems.counterfactual.generation.use",
    "mechanisms": "icm_jax.mechanisms",
    "restore": "icm_jax.systems.icm.restore",
    "risk": "icm_jax.systems.risk.wrappers",
}
_PLACES = {
    "Dataset": "icm_jax.data",
    "Splits": "icm_jax.data",
    "default_config": "icm_jax.systems.registry",
    "run": "icm_jax.experiment",
}

__all__ = [  # noqa: F822
    "Dataset",
    "Splits",
    "banks",
    "counterfactual",
    "default_config",
    "mechanisms",
    "restore",
    "risk",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'icm_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
