"""Methods that are told more of an original image than its label.

`balanced` and `group_dro` are told whose colour or texture it has: groups are the label with the
class of the foreground, and with that of the background where it has one. A batch takes from all
groups alike; `group_dro` weighs them by their losses besides. `irm` is told the environment.
"""

from ml_collections import ConfigDict

from icm_jax import objectives
from icm_jax.data import Groups, group
from icm_jax.supervised import Objective, mean_loss
from icm_jax.systems.counterfactual.biased import BiasedData, environments_of


def count_groups(config: ConfigDict, data: BiasedData) -> int:
    """How many groups a method is told of; some may be empty."""
    if config.method == "irm":
        return len(config.data.unbiased)
    return data.classes ** (1 + len(_known(data)))


def make_groups(config: ConfigDict, data: BiasedData) -> Groups:
    """The images to train on in the groups that a method is told of."""
    train = data.train
    if config.method == "irm":
        number = environments_of(len(train.labels), len(config.data.unbiased))
    else:
        number = train.labels.astype(int)
        for name in _known(data):
            number = number * data.classes + train.attributes[name]
    return group(number, count_groups(config, data))


def make_objective(config: ConfigDict, groups: int, axis_name: str | None) -> Objective:
    """What a method that learns by the published optimizer lowers."""
    if config.method == "irm":
        return objectives.irm(config.irm, config.batch_size, groups, axis_name)
    if config.method == "group_dro":
        return objectives.group_dro(config.group_dro, groups, axis_name)
    return mean_loss(config.batch_size)


def _known(data: BiasedData) -> list[str]:
    """Of which parts of an image it is known whose colour or texture they have."""
    return [name for name in ("foreground", "background") if name in data.train.attributes]
