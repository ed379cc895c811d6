"""The config of ICM, of its oracle and of its judge alone: defaults and rules."""

import functools
from typing import Any

from ml_collections import ConfigDict

from icm_jax import mechanisms
from icm_jax.networks.activations import ACTIVATIONS, OUTPUTS
from icm_jax.schema import Schema, at_least, fraction, one_of, positive, with_shared
from icm_jax.systems.icm.competition import WINNER_LOSSES

EXPERTS = ("conv", "residual", "vae")
CLASSIFIERS = ("conv", "faces")


def defaults(system: str = "icm") -> ConfigDict:
    """The paper's experiment on MNIST: ten mechanisms, ten experts (Parascandolo et al. 2018).

    `system` is 'icm', 'oracle', or 'classification', the judge alone.
    """
    return with_shared(
        system,
        {
            "batch_size": 32,
            "data": {
                "labels": (),  # the classes that compete; all where empty
                "pad": 0,  # zeros around images up to this side (32 in ports of the paper)
                "canonical": 0,  # images that are known as canonical; 0: all that there are
                # Values of an attribute in place of mechanisms, compared as text; none where empty.
                "groups": {"attribute": "", "canonical": "", "transformed": ()},
            },
            "mechanisms": mechanisms.PAPER,  # unused with data.groups
            "mixture": (),  # shares of the mechanisms, (3, 1) for 3 to 1; equal where empty
            "experts": {
                "count": 10,
                "prune": 0.0,  # experts with less than this share of wins are dropped at the end
                # conv, the paper's | residual, keeps what it does not change | vae, through few
                # numbers
                "kind": "conv",
                "filters": 32,  # conv, residual: of every hidden layer
                "layers": 4,  # conv, residual: hidden layers
                "patch": 1,  # residual: side of the squares of pixels it takes for one place
                "latent": 256,  # vae: the numbers that an image passes through
                # vae: weight of the KL divergence of a latent, summed over its numbers and divided
                # by those of an image, as the mean squared error is.
                "beta": 0.1,
                "activation": "elu",
                "output": "sigmoid",  # conv, vae: sigmoid | relu, what makes pixels
                "learning_rate": 1e-3,
                "momentum": 0.9,  # of the running batch statistics, used in evaluation
            },
            "discriminator": {
                "stages": ((16, 16, 16), (32, 32), (64, 64)),
                "hidden": 1024,
                "activation": "elu",
                "learning_rate": 1e-3,
            },
            # Ends when every expert's squared error is below the threshold, or after `steps`.
            # Public ports take 500; longer is not better: experts that are too alike share.
            "initialization": {"steps": 200, "threshold": 0.002},
            "competition": {
                "steps": 1000,  # the paper: about 2000
                # What a winner pays for its output: log, -log D | squared, (1 - D)^2.
                "loss": "log",
                # Weight of the mean squared error from output to input, which it pays besides: what
                # holds experts to an image that could draw any other. The paper: 0.
                "keep": 0.0,
                # Learning rates fall to 0 over this last fraction of the steps; the paper: 0.
                "decay": 0.5,
                # Images of a batch that the gradient of the batch statistics goes through; the
                # winners then run again. 0: all images, which costs little with few experts.
                "reference": 8,
                # Not in the paper (every=0 is the paper): see icm_jax.restarts.
                "restart": {
                    "every": 20,
                    "idle": 0.2,
                    "crowded": 1.5,
                    "noise": 0.02,
                    "memory": 0.95,
                },
            },
            "classifier": {
                # labels: of images that stay what they are | canonical: from transformed images
                "learns": "labels",
                # conv, as the next three say | faces, two classes, layers of its own
                "kind": "conv",
                "stages": ((16,), (32, 32), (64, 64)),
                "hidden": 128,
                "dropout": 0.3,
                "batch_size": 128,
                "steps": 1200,
                "learning_rate": 2e-3,
            },
            "evaluation": {
                "every": 100,  # steps of the competition between quick evaluations
                "images": 1000,  # test images in those
                "last": 0,  # test images in the last evaluation; 0: all
            },
        },
    )


def _check(config: ConfigDict) -> None:
    """Refuses values that do not go together."""
    for spec in config.mechanisms:
        mechanisms.build(spec)
    _check_groups(config)
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


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < float("inf")


def _stages(value: Any) -> bool:
    return len(value) > 0 and all(
        isinstance(stage, tuple | list)
        and len(stage) > 0
        and all(isinstance(f, int) and f > 0 for f in stage)
        for stage in value
    )


_STAGES = ("a non-empty tuple of non-empty tuples of filter counts", _stages)

_RULES = (
    ("batch_size", at_least(1)),
    ("data.pad", at_least(0)),
    ("data.canonical", at_least(0)),
    ("data.labels", ("whole numbers", lambda v: all(type(label) is int for label in v))),
    ("mechanisms", ("a non-empty tuple of names", len)),
    ("mixture", ("shares above 0", lambda shares: all(_is_positive(s) for s in shares))),
    ("experts.count", at_least(1)),
    ("experts.prune", fraction()),
    ("experts.kind", one_of(EXPERTS)),
    ("experts.filters", at_least(1)),
    ("experts.layers", at_least(1)),
    ("experts.patch", at_least(1)),
    ("experts.latent", at_least(1)),
    ("experts.beta", at_least(0)),
    ("experts.activation", one_of(tuple(ACTIVATIONS))),
    ("experts.output", one_of(tuple(OUTPUTS))),
    ("experts.learning_rate", positive()),
    ("experts.momentum", fraction()),
    ("discriminator.stages", _STAGES),
    ("discriminator.hidden", at_least(1)),
    ("discriminator.activation", one_of(tuple(ACTIVATIONS))),
    ("discriminator.learning_rate", positive()),
    ("initialization.steps", at_least(0)),
    ("initialization.threshold", at_least(0)),
    ("competition.steps", at_least(0)),
    ("competition.loss", one_of(tuple(WINNER_LOSSES))),
    ("competition.keep", at_least(0)),
    ("competition.decay", ("from 0 to 1", lambda decay: 0 <= decay <= 1)),
    ("competition.reference", at_least(0)),
    ("competition.restart.every", at_least(0)),
    ("competition.restart.idle", fraction()),
    ("competition.restart.crowded", at_least(1)),
    ("competition.restart.noise", at_least(0)),
    ("competition.restart.memory", fraction()),
    ("classifier.learns", one_of(("labels", "canonical"))),
    ("classifier.kind", one_of(CLASSIFIERS)),
    ("classifier.stages", _STAGES),
    ("classifier.hidden", at_least(1)),
    ("classifier.dropout", fraction()),
    ("classifier.batch_size", at_least(1)),
    ("classifier.steps", at_least(0)),
    ("classifier.learning_rate", positive()),
    ("evaluation.images", at_least(1)),
    ("evaluation.last", at_least(0)),
)

SCHEMAS = {
    "icm": Schema(defaults, _RULES, _check),
    "oracle": Schema(functools.partial(defaults, "oracle"), _RULES, _check_oracle),
    "classification": Schema(functools.partial(defaults, "classification"), _RULES, _check),
}
