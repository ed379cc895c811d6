"""What can be done with finished experts: other data, pairs of mechanisms, what they promise."""

from types import ModuleType

from icm_jax.systems.icm.examinations import (
    composition,
    detection,
    few,
    forgetting,
    recombination,
    robustness,
    telling,
    transfer,
)
from icm_jax.systems.kind import Examination


def _examination(module: ModuleType) -> Examination:
    return Examination(
        settings=module.SETTINGS,
        examine=module.examine,
        numbers=module.numbers,
        tables=module.tables,
        figures=module.figures,
    )


EXAMINATIONS = {
    "transfer": _examination(transfer),
    "composition": _examination(composition),
    "robustness": _examination(robustness),
    "diagnosis": _examination(telling),
    "recombination": _examination(recombination),
    "forgetting": _examination(forgetting),
    "detection": _examination(detection),
    "few": _examination(few),
}
