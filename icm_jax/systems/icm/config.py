"""The config of ICM, of its oracle and of its judge alone: its fields and their rules."""

from typing import Any

from ml_collections import ConfigDict

from icm_jax import mechanisms
from icm_jax.networks.activations import ACTIVATIONS, OUTPUTS
from icm_jax.networks.registry import CLASSIFIERS
from icm_jax.schema import (
    Field,
    Fields,
    Schema,
    any_text,
    at_least,
    fraction,
    one_of,
    positive,
    share,
    tuple_of,
    with_shared,
)
from icm_jax.systems.icm.competition import WINNER_LOSSES
from icm_jax.systems.icm.networks.registry import EXPERTS


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < float("inf")


def _are_stages(value: Any) -> bool:
    return len(value) > 0 and all(
        isinstance(stage, tuple | list)
        and len(stage) > 0
        and all(_is_whole(filters) and filters > 0 for filters in stage)
        for stage in value
    )


_STAGES = ("a non-empty tuple of non-empty tuples of filter counts", _are_stages)

_DATA = {
    "labels": Field((), tuple_of("whole numbers", _is_whole), "the classes that compete; (): all"),
    "pad": Field(
        0, at_least(0), "zeros around images up to this side in pixels (32 in ports of the paper)"
    ),
    "canonical": Field(
        0, at_least(0), "images that are known as canonical; 0, or more than there are: all"
    ),
    # Values of an attribute in place of mechanisms, compared as text; none where empty.
    "groups": {
        "attribute": Field(
            "",
            any_text(),
            "whose values stand for mechanisms; '': none, mechanisms transform",
        ),
        "canonical": Field("", any_text(), "the attribute's value in canonical images"),
        "transformed": Field(
            (), tuple_of("values", lambda v: True), "its values in transformed images, one a group"
        ),
    },
}

_EXPERTS = {
    "count": Field(10, at_least(1), "how many compete"),
    "prune": Field(
        0.0, fraction(), "experts with less than this share of wins are dropped at the end; 0: none"
    ),
    "kind": Field(
        "conv",
        one_of(tuple(EXPERTS)),
        "conv, the paper's; residual, keeps what it does not change; vae, through few numbers",
    ),
    "filters": Field(32, at_least(1), "filters of every hidden layer", of=("conv", "residual")),
    "layers": Field(4, at_least(1), "hidden layers", of=("conv", "residual")),
    "patch": Field(
        1, at_least(1), "side of the squares of pixels it takes for one place", of=("residual",)
    ),
    "latent": Field(256, at_least(1), "the numbers that an image passes through", of=("vae",)),
    # Summed over the numbers of a latent and divided by those of an image, as the mean squared
    # error is.
    "beta": Field(0.1, at_least(0), "weight of the KL divergence of a latent", of=("vae",)),
    "activation": Field("elu", one_of(tuple(ACTIVATIONS)), "function after every hidden layer"),
    "output": Field(
        "sigmoid", one_of(tuple(OUTPUTS)), "what makes pixels of the last layer", of=("conv", "vae")
    ),
    "learning_rate": Field(1e-3, positive(), "learning rate of Adam"),
    "momentum": Field(
        0.9,
        fraction(),
        "what a step leaves of the running batch statistics, which are used in evaluation",
    ),
    "average": Field(
        0.0,
        fraction(),
        "what a step leaves of the running averages of parameters and batch statistics that "
        "experts are evaluated with; 0: with what they have (the paper)",
    ),
}

_DISCRIMINATOR = {
    "stages": Field(
        ((16, 16, 16), (32, 32), (64, 64)),
        _STAGES,
        "filters of its convolutions; each stage ends in 2x2 pooling",
    ),
    "hidden": Field(1024, at_least(1), "width of the dense layer before the logit"),
    "activation": Field(
        "elu", one_of(tuple(ACTIVATIONS)), "function after every layer before the logit"
    ),
    "losers": Field(
        0,
        at_least(0),
        "outputs of each expert in a batch that it learns from where they lost, drawn at random; "
        "0: all (the paper)",
    ),
    "learning_rate": Field(1e-3, positive(), "learning rate of Adam"),
}

# Public ports take 500 steps; longer is not better: experts that are too alike share.
_INITIALIZATION = {
    "steps": Field(200, at_least(0), "steps at most, in which experts learn to leave images alone"),
    "images": Field(
        0, at_least(0), "images of a step, which all experts get; 0: as many as batch_size"
    ),
    "threshold": Field(
        0.002, at_least(0), "mean squared error; it ends once every expert's is below"
    ),
}

_COMPETITION = {
    "steps": Field(1000, at_least(0), "steps of the competition (the paper: about 2000)"),
    "loss": Field(
        "log",
        one_of(tuple(WINNER_LOSSES)),
        "what a winner pays for its output: log, -log D; squared, (1 - D)^2",
    ),
    # What holds experts to an image that could draw any other.
    "keep": Field(
        0.0,
        at_least(0),
        "weight of the mean squared error from output to input, which a winner pays besides "
        "(the paper: 0)",
    ),
    # Not in the paper: see icm_jax.systems.icm.balance.
    "balance": Field(
        0.0,
        at_least(0),
        "logits that an expert loses when it wins e times its share, 1 at most (the paper: 0)",
    ),
    "decay": Field(
        0.5,
        share(),
        "learning rates fall to 0 over this last fraction of the steps (the paper: 0)",
    ),
    # The winners then run again; the whole batch costs little with few experts.
    "reference": Field(
        8,
        at_least(0),
        "images of a batch that the gradient of the batch statistics goes through; 0: all",
    ),
    # Not in the paper: see icm_jax.systems.icm.restarts.
    "restart": {
        "every": Field(
            20, at_least(0), "steps between looks for an idle expert; 0: never (the paper)"
        ),
        "idle": Field(0.2, fraction(), "idle is a share of wins below this, divided by experts"),
        "crowded": Field(
            1.5, at_least(1), "crowded is a share of wins above this, divided by experts"
        ),
        "noise": Field(
            0.02, at_least(0), "standard deviation of the factor on each copied parameter"
        ),
        "memory": Field(0.95, fraction(), "what a step leaves of the running share of wins"),
    },
}

_CLASSIFIER = {
    "learns": Field(
        "labels",
        one_of(("labels", "canonical")),
        "labels: of images that stay what they are; canonical: from transformed images",
    ),
    "kind": Field(
        "conv",
        one_of(tuple(CLASSIFIERS)),
        "conv, of the next three fields; faces, of two classes, with layers of its own",
    ),
    "stages": Field(
        ((16,), (32, 32), (64, 64)),
        _STAGES,
        "filters of its convolutions; each stage ends in 2x2 pooling",
        of=("conv",),
    ),
    "hidden": Field(128, at_least(1), "width of the dense layer before the logits", of=("conv",)),
    "dropout": Field(
        0.3, fraction(), "fraction of its outputs that is dropped in training", of=("conv",)
    ),
    "batch_size": Field(128, at_least(1), "images of a step, on all devices"),
    "steps": Field(1200, at_least(0), "steps of its training, before everything else"),
    "learning_rate": Field(
        2e-3, positive(), "learning rate of Adam at the start; it falls to 0 as a cosine"
    ),
}

_EVALUATION = {
    "every": Field(100, at_least(1), "steps of the competition between quick evaluations"),
    "images": Field(1000, at_least(1), "test images in those"),
    "last": Field(0, at_least(0), "test images in the last evaluation; 0: all"),
}

# The paper's experiment on MNIST: ten mechanisms, ten experts (Parascandolo et al. 2018).
_FIELDS: Fields = {
    "batch_size": Field(32, at_least(1), "images of a step, on all devices"),
    "data": _DATA,
    "mechanisms": Field(
        mechanisms.PAPER,
        ("a non-empty tuple of names, or dicts of a name and settings", len),
        "what transforms images (icm_jax.mechanisms); unused with data.groups",
    ),
    "mixture": Field(
        (),
        tuple_of("shares above 0", _is_positive),
        "how often each mechanism or group comes, (3, 1) for 3 to 1; (): all alike",
    ),
    "experts": _EXPERTS,
    "discriminator": _DISCRIMINATOR,
    "initialization": _INITIALIZATION,
    "competition": _COMPETITION,
    "classifier": _CLASSIFIER,
    "evaluation": _EVALUATION,
}


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    for spec in config.mechanisms:
        mechanisms.build(spec)
    _check_groups(config)
    losers = config.discriminator.losers
    if losers and config.batch_size % losers:
        raise ValueError(
            f"discriminator.losers: {losers} does not divide batch_size, {config.batch_size}"
        )
    count = _count(config)
    if config.mixture and len(config.mixture) != count:
        raise ValueError(
            f"mixture: {len(config.mixture)} shares for {count} mechanisms; give one each, or none"
        )
    labels = [mechanisms.label(spec) for spec in config.mechanisms]
    for name in labels:
        if labels.count(name) > 1:
            raise ValueError(f"mechanisms: {name!r} stands there twice; name each one once")


def _check_groups(config: ConfigDict) -> None:
    """Refuses groups that are half given, or that cannot be told apart."""
    groups = config.data.groups
    values = [groups.canonical, *map(str, groups.transformed)]
    given = {"attribute": groups.attribute, "canonical": values[0], "transformed": values[1:]}
    missing = [name for name, value in given.items() if not value]
    if 0 < len(missing) < len(given):
        raise ValueError(
            f"data.groups.{missing[0]}: missing; give attribute, canonical and transformed, or "
            "none of them"
        )
    for value in values[1:]:
        if values.count(value) > 1:
            raise ValueError(f"data.groups: {value!r} stands there twice; name each value once")


def _count(config: ConfigDict) -> int:
    """How many mechanisms or groups there are."""
    return len(config.data.groups.transformed) or len(config.mechanisms)


def _check_oracle(config: ConfigDict) -> None:
    """Refuses what the oracle cannot learn from."""
    _check(config)
    if config.experts.count != _count(config):
        raise ValueError(
            f"experts.count: {config.experts.count} experts for {_count(config)} mechanisms; "
            "system 'oracle' trains one for each"
        )
    if config.data.groups.attribute:
        raise ValueError(
            "data.groups: groups have no originals, which system 'oracle' learns from; leave them "
            "empty, or choose system 'icm'"
        )


SCHEMAS = {
    "icm": Schema(with_shared("icm", _FIELDS), _check),
    "oracle": Schema(with_shared("oracle", _FIELDS), _check_oracle),
    "classification": Schema(with_shared("classification", _FIELDS), _check),
}
