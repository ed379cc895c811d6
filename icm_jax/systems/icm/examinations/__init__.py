"""What can be done with finished experts: transfer to other data, compositions of mechanisms."""

from icm_jax.systems.icm.examinations import composition, transfer
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
}
