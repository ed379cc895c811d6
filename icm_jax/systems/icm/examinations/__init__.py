"""What can be done with finished experts: other data, pairs of mechanisms, what they promise."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from ml_collections import ConfigDict

from icm_jax import data, parts
from icm_jax.config import from_workdir
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
from icm_jax.systems.kind import Examination, Findings
from icm_jax.training.workdir import digest_of_given


def _examination(module: ModuleType) -> Examination:
    return Examination(
        settings=module.SETTINGS,
        examine=functools.partial(_examine_designed, module.examine),
        numbers=module.numbers,
        tables=module.tables,
        figures=module.figures,
    )


def _examine_designed(
    examine: Callable[[str | os.PathLike, ConfigDict], Findings],
    workdir: str | os.PathLike,
    settings: ConfigDict,
) -> Findings:
    """Examines a run on designed mechanisms; one on groups has none to be asked about.

    Refuses one of other data than its config names: they are not at hand.
    """
    config = from_workdir(workdir)
    attribute = config.data.groups.attribute
    if attribute:
        raise ValueError(
            f"data.groups.attribute: {attribute!r}: examinations are of runs on mechanisms, and "
            "this one is on groups"
        )
    given = digest_of_given(Path(workdir))
    if given and given != parts.digest_of(data.load(config.data)):
        raise ValueError(
            f"workdir: {workdir} was given its data, which are not those that its config names; "
            "examinations are of runs on data that can be loaded"
        )
    return examine(workdir, settings)


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
