"""What can be done with finished experts: other data, pairs of mechanisms, what they promise."""

from icm_jax.systems.icm.examinations import composition, robustness, telling, transfer
from icm_jax.systems.kind import Examination

EXAMINATIONS = {
    "transfer": Examination(
        settings=transfer.SETTINGS,
        examine=transfer.examine,
        numbers=transfer.numbers,
        tables=transfer.tables,
        figures=transfer.figures,
    ),
    "composition": Examination(
        settings=composition.SETTINGS,
        examine=composition.examine,
        numbers=composition.numbers,
        tables=composition.tables,
        figures=composition.figures,
    ),
    "robustness": Examination(
        settings=robustness.SETTINGS,
        examine=robustness.examine,
        numbers=robustness.numbers,
        tables=robustness.tables,
        figures=robustness.figures,
    ),
    "diagnosis": Examination(
        settings=telling.SETTINGS,
        examine=telling.examine,
        numbers=telling.numbers,
        tables=telling.tables,
        figures=telling.figures,
    ),
}
