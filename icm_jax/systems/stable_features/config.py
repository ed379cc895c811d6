"""The config of stable features: its fields and their rules."""

from ml_collections import ConfigDict

from icm_jax.schema import (
    Field,
    Fields,
    Schema,
    any_text,
    at_least,
    intervals,
    is_label,
    is_share,
    one_of,
    positive,
    share,
    tuple_of,
    with_shared,
)
from icm_jax.systems.stable_features.channels import TASKS
from icm_jax.systems.stable_features.networks.registry import CLASSIFIERS

METHODS = ("erm", "balanced", "group_dro", "irm", "oracle", "tofu")
SELECTIONS = ("worst_group", "validation", "last")
_OF_TOFU = ("tofu",)
_LABELS = tuple_of("whole numbers from 0 on", is_label)

_DATA = {
    "task": Field(
        "same",
        one_of(TASKS),
        "same: one of all labels; transfer: from source_labels to target_labels "
        "(icm_jax.systems.stable_features.channels)",
    ),
    "assignment": Field(
        "", any_text(), ".npz with labels and channels of all images; '': by the seed", of=("same",)
    ),
    "label_noise": Field(0.25, share(), "share of given labels that are not the true ones"),
    "channel_noise": Field(
        0.1, share(), "share of images outside their given label's channel, in training"
    ),
    "test_channel_noise": Field(0.9, share(), "the same of test images"),
    "validation": Field(100, at_least(1), "test images that are for validation", of=("same",)),
    "source_labels": Field(
        (0, 2, 4, 6, 8),
        _LABELS,
        "labels of the task that is learned from, 2 or more",
        of=("transfer",),
    ),
    "target_labels": Field(
        (1, 3, 5, 7, 9), _LABELS, "labels of the task that is wanted, 2 or more", of=("transfer",)
    ),
    "environments": Field(
        (0.1, 0.2),
        tuple_of("shares from 0 to 1", is_share),
        "channel noise of each environment of the source; method tofu needs 2 or more",
        of=("transfer",),
    ),
}

# Which parameters count: the best on a part of the training data by the worst of the groups that
# the method knows, the best on the validation images (as the test images are: labelled so in the
# summary), or the last.
_SELECTION = {
    "by": Field(
        "worst_group",
        one_of(SELECTIONS),
        "which parameters count: the best by worst group or by validation, or the last",
    ),
    "fraction": Field(
        0.1,
        ("above 0 and below 1", lambda value: 0 < value < 1),
        "share of the training data that is held out",
    ),
    "least": Field(
        200, at_least(1), "images of a group; smaller ones are judged together (evaluation.groups)"
    ),
}

_TOFU = {
    "environments": {
        "steps": Field(
            400, at_least(1), "steps of each source environment's classifier", of=_OF_TOFU
        )
    },
    "robust": {
        "steps": Field(
            400,
            at_least(0),
            "steps of the source task; 0: the last phase starts from nothing",
            of=_OF_TOFU,
        )
    },
    "embedding": {
        "steps": Field(400, at_least(1), "steps of the embedding", of=_OF_TOFU),
        "batch_size": Field(10, at_least(1), "images of each group and outcome", of=_OF_TOFU),
    },
    "margin": Field(
        0.3, positive(), "margin of the triplet loss that learns the embedding", of=_OF_TOFU
    ),
    "clusters": Field(2, at_least(2), "clusters of each label", of=_OF_TOFU),
    "batch_size": Field(
        50, at_least(1), "images of each group in worst-group training", of=_OF_TOFU
    ),
}

# A classifier of MNIST in ten channels, of which the channel is to be ignored.
_FIELDS: Fields = {
    "method": Field("balanced", one_of(METHODS), "how the channel is to be ignored"),
    "network": Field(
        "cnn",
        one_of(tuple(CLASSIFIERS)),
        "the classifier (icm_jax.systems.stable_features.networks.registry)",
    ),
    "batch_size": Field(200, at_least(1), "images of a step, on all devices"),
    "steps": Field(1000, at_least(0), "steps of training; of tofu's last phase"),
    "shift": Field(2, at_least(0), "pixels that training images are moved by at most; 0: none"),
    "data": _DATA,
    "optimizer": {
        "learning_rate": Field(1e-3, positive(), "learning rate of Adam"),
        "weight_decay": Field(0.0, at_least(0), "added to the gradient, as in PyTorch's Adam"),
        "decay": Field(0.5, share(), "the rate falls to 0 over this last fraction of the steps"),
    },
    "selection": _SELECTION,
    "group_dro": {
        "rate": Field(0.05, at_least(0), "step size of the groups' weights", of=("group_dro",))
    },
    "irm": {
        "penalty": Field(
            10.0, at_least(0), "weight of what differs between environments", of=("irm",)
        ),
        "after": Field(200, at_least(0), "steps at first, in which that weight is 1", of=("irm",)),
    },
    "tofu": _TOFU,
    "evaluation": {
        "every": Field(200, at_least(1), "steps between selections and between quick evaluations"),
        "images": Field(1000, at_least(1), "test images in quick evaluations"),
    },
    **intervals(20, 400),
}


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    data = config.data
    for name in ("source_labels", "target_labels"):
        labels = data[name]
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ValueError(
                f"data.{name}: {labels!r} is not allowed; it must be 2 different labels or more"
            )
    if data.task == "transfer" and not data.environments:
        raise ValueError(
            "data.environments: () is not allowed with data.task 'transfer'; its source needs 1 or "
            "more"
        )
    if config.method == "tofu" and len(data.environments) < 2:
        raise ValueError(
            f"data.environments: {data.environments!r} is not allowed; method 'tofu' compares 2 "
            "or more"
        )
    if config.method == "tofu" and not config.steps:
        raise ValueError("steps: 0 is not allowed; method 'tofu' needs its last phase")
    lengths = len(data.source_labels), len(data.target_labels)
    if data.task == "transfer" and lengths[0] != lengths[1]:
        raise ValueError(
            f"data.target_labels: {data.target_labels!r} is not allowed; 'transfer' needs "
            f"as many as data.source_labels, {lengths[0]}"
        )
    if data.assignment and data.task != "same":
        raise ValueError(f"data.assignment: {data.assignment!r} is for data.task='same' alone")


SCHEMA = Schema(with_shared("stable_features", _FIELDS), _check)


def method_and_network(choice: str) -> dict[str, str]:
    """The fields that an argument like 'tofu,vgg', 'tofu' or 'vgg' chooses.

    Raises:
      ValueError: a part of it is neither a method nor a network, or one too many of either.
    """
    chosen = {}
    for name in filter(None, choice.split(",")):
        field = {**dict.fromkeys(METHODS, "method"), **dict.fromkeys(CLASSIFIERS, "network")}.get(
            name
        )
        if field is None or field in chosen:
            raise ValueError(
                f"config: {choice!r} is not allowed; it must be one method of {', '.join(METHODS)} "
                f"and one network of {', '.join(CLASSIFIERS)}"
            )
        chosen[field] = name
    return chosen
