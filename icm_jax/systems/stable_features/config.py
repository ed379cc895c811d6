"""The config of stable features: defaults and rules."""

from ml_collections import ConfigDict

from icm_jax.schema import Schema, at_least, one_of, positive, with_shared
from icm_jax.systems.stable_features.channels import TASKS
from icm_jax.systems.stable_features.networks.registry import CLASSIFIERS

METHODS = ("erm", "balanced", "group_dro", "irm", "oracle", "tofu")
SELECTIONS = ("worst_group", "validation", "last")


def defaults() -> ConfigDict:
    """A classifier of MNIST in ten channels, of which the channel is to be ignored."""
    return with_shared(
        "stable_features",
        {
            "method": "balanced",  # erm | balanced | group_dro | irm | oracle | tofu
            "network": "cnn",  # cnn | vgg | exquisite | mlp: see icm_jax.networks.registry
            "batch_size": 200,
            "steps": 1000,
            "shift": 2,  # training images are moved by up to so many pixels; 0: as they are
            "data": {
                "task": "same",  # same | transfer: see icm_jax.data.channels
                "assignment": "",  # .npz with labels and channels of all images; '': by the seed
                "label_noise": 0.25,
                "channel_noise": 0.1,  # share of images outside their given label's channel
                "test_channel_noise": 0.9,
                "validation": 100,  # test images that are for validation
                "source_labels": (0, 2, 4, 6, 8),
                "target_labels": (1, 3, 5, 7, 9),
                "environments": (0.1, 0.2),  # channel noise of each of the source
            },
            "optimizer": {
                "learning_rate": 1e-3,
                "weight_decay": 0.0,  # added to the gradient, as in PyTorch's Adam
                "decay": 0.5,  # the rate falls to 0 over this last fraction of the steps
            },
            # Which parameters count: the best on a part of the training data by the worst of the
            # groups that the method knows, the best on the validation images (as the test images
            # are: labelled so in the summary), or the last.
            "selection": {
                "by": "worst_group",  # worst_group | validation | last
                "fraction": 0.1,  # of the training data, held out
                "least": 200,  # smaller groups are judged together: see evaluation.groups
            },
            "group_dro": {"rate": 0.05},  # step size of the groups' weights
            "irm": {"penalty": 10.0, "after": 200},  # 1 before `after` steps
            "tofu": {
                "environments": {"steps": 400},  # for each source environment's classifier
                "robust": {"steps": 400},  # of the source task; 0: nothing to start from
                "embedding": {"steps": 400, "batch_size": 10},  # of each group and outcome
                "margin": 0.3,
                "clusters": 2,  # of each label
                "batch_size": 50,  # of each group in worst-group training
            },
            "evaluation": {
                "every": 200,  # steps between selections, and between quick evaluations
                "images": 1000,  # test images in those
            },
            "log": {"every": 20},
            "checkpoint": {"every": 400},
        },
    )


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    data = config.data
    for name in ("source_labels", "target_labels"):
        labels = data[name]
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ValueError(f"data.{name}: {labels!r} is not allowed; it must be 2 labels or more")
    if config.method == "tofu" and len(data.environments) < 2:
        raise ValueError(
            f"data.environments: {data.environments!r} is not allowed; method 'tofu' compares 2 "
            "or more"
        )
    if data.assignment and data.task != "same":
        raise ValueError(f"data.assignment: {data.assignment!r} is for data.task='same' alone")


def _shares(values) -> bool:
    return all(type(value) in (int, float) and 0 <= value <= 1 for value in values)


_SHARE = ("from 0 to 1", lambda value: 0 <= value <= 1)
_NATURAL = ("whole numbers from 0 on", lambda v: all(type(x) is int and x >= 0 for x in v))

_RULES = (
    ("method", one_of(METHODS)),
    ("network", one_of(tuple(CLASSIFIERS))),
    ("batch_size", at_least(1)),
    ("steps", at_least(0)),
    ("shift", at_least(0)),
    ("data.task", one_of(TASKS)),
    ("data.label_noise", _SHARE),
    ("data.channel_noise", _SHARE),
    ("data.test_channel_noise", _SHARE),
    ("data.validation", at_least(1)),
    ("data.source_labels", _NATURAL),
    ("data.target_labels", _NATURAL),
    ("data.environments", ("shares from 0 to 1", _shares)),
    ("optimizer.learning_rate", positive()),
    ("optimizer.weight_decay", at_least(0)),
    ("optimizer.decay", _SHARE),
    ("selection.by", one_of(SELECTIONS)),
    ("selection.fraction", ("above 0 and below 1", lambda value: 0 < value < 1)),
    ("selection.least", at_least(1)),
    ("group_dro.rate", at_least(0)),
    ("irm.penalty", at_least(0)),
    ("irm.after", at_least(0)),
    ("tofu.environments.steps", at_least(1)),
    ("tofu.robust.steps", at_least(0)),
    ("tofu.embedding.steps", at_least(1)),
    ("tofu.embedding.batch_size", at_least(1)),
    ("tofu.margin", positive()),
    ("tofu.clusters", at_least(2)),
    ("tofu.batch_size", at_least(1)),
    ("evaluation.images", at_least(1)),
)

SCHEMA = Schema(defaults, _RULES, _check)


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
