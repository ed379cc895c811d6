"""Shared defaults, and the one place where a config is validated."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from icm_jax import mechanisms
from icm_jax.competition import WINNER_LOSSES
from icm_jax.data import SOURCES
from icm_jax.networks.activations import ACTIVATIONS, OUTPUTS
from icm_jax.networks.compute import PRECISIONS
from icm_jax.networks.convolution import LOWERINGS

SYSTEMS = ("icm", "oracle")
EXPERTS = ("conv", "unet", "vae")
CLASSIFIERS = ("conv", "faces")


def icm() -> ConfigDict:
    """The paper's experiment on MNIST: ten mechanisms, ten experts (Parascandolo et al. 2018)."""
    return ConfigDict(
        {
            "system": "icm",  # icm | oracle: see icm_jax.systems
            "seed": 0,
            "replicas": 1,  # seeds trained at once: seed, seed + 1, ...
            "batch_size": 32,
            "precision": "float32",  # float32 | tf32 | bfloat16: see icm_jax.networks.compute
            "convolution": "auto",  # of all experts at once: see icm_jax.networks.convolution
            "data": {
                "source": "bundled",  # bundled | tfds | folder | faces
                "name": "mnist",  # of the data set: see icm_jax.data.sources and data.faces
                "dir": "",  # of the TFDS or image folder, or a zip of images
                "labels": (),  # the classes that compete; all where empty
                "size": 0,  # resize images to this side; 0 leaves them
                "pad": 0,  # zeros around images up to this side (32 in ports of the paper)
                "invert": False,  # images dark on bright become bright on dark, as MNIST is
                # Drawings made as MNIST's digits were: see icm_jax.data.drawings.
                "thicken": 0,  # pixels of the neighbourhood that lines spread over, before resizing
                "box": 0,  # pixels of the longer side of the ink within `size`; 0 crops nothing
                "canonical": 0,  # images that are known as canonical; 0: all that there are
                # Values of an attribute in place of mechanisms, compared as text; none where empty.
                "groups": {"attribute": "", "canonical": "", "transformed": ()},
            },
            "mechanisms": mechanisms.PAPER,  # unused with data.groups
            "mixture": (),  # shares of the mechanisms, (3, 1) for 3 to 1; equal where empty
            "experts": {
                "count": 10,
                "prune": 0.0,  # experts with less than this share of wins are dropped at the end
                # conv, the paper's | unet, sees far and keeps detail | vae, through few numbers
                "kind": "conv",
                "filters": 32,  # conv: of every hidden layer; unet: at the images' own scale
                "layers": 4,  # conv: hidden layers
                "scales": 3,  # unet: the images' own, half, quarter, ...
                "latent": 256,  # vae: the numbers that an image passes through
                # vae: weight of the KL divergence of a latent, summed over its numbers and divided
                # by those of an image, as the mean squared error is.
                "beta": 0.1,
                "activation": "elu",
                "output": "sigmoid",  # sigmoid | relu: what makes pixels
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
            "log": {"every": 10},
            "checkpoint": {"every": 100, "keep": 3},
        }
    )


def validate(config: ConfigDict) -> None:
    """Refuses a config that cannot run, before any work.

    Raises:
      ValueError: naming the field, its value and what is allowed.
    """
    known = ConfigDict(icm())
    _check_fields(config, known, "")
    for field, allowed, holds in _RULES:
        value = _get(config, field)
        if not holds(value):
            raise ValueError(f"{field}: {value!r} is not allowed; it must be {allowed}")
    if config.seed + config.replicas > 2**32:
        raise ValueError(
            f"replicas: {config.replicas} seeds from {config.seed} on exceed 2**32 - 1"
        )
    for spec in config.mechanisms:
        mechanisms.build(spec)
    _check_groups(config)
    count = len(config.data.groups.transformed) or len(config.mechanisms)
    if config.mixture and len(config.mixture) != count:
        raise ValueError(
            f"mixture: {len(config.mixture)} shares for {count} mechanisms; give one each, or none"
        )
    if config.system == "oracle" and config.experts.count != count:
        raise ValueError(
            f"experts.count: {config.experts.count} experts for {count} mechanisms; system "
            "'oracle' trains one for each"
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
    if groups.attribute and config.system == "oracle":
        raise ValueError(
            "data.groups: groups have no originals, which system 'oracle' learns from; leave them "
            "empty, or choose system 'icm'"
        )


def to_dict(config: ConfigDict) -> dict[str, Any]:
    """The config as plain JSON values, tuples as lists."""
    return _plain(config.to_dict())


def from_workdir(workdir: str | os.PathLike) -> ConfigDict:
    """The config of the run in a folder.

    Raises:
      ValueError: if there is none.
    """
    path = Path(workdir) / "config.json"
    try:
        return ConfigDict(_tuples(json.loads(path.read_text())))
    except (OSError, ValueError) as error:
        raise ValueError(f"workdir: no config can be read from {path}: {error}") from error


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _tuples(v) for k, v in value.items()}
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _check_fields(config: ConfigDict, known: ConfigDict, prefix: str) -> None:
    for name in known:
        if name not in config:
            raise ValueError(f"{prefix}{name}: missing; see icm_jax.config.icm for its default")
    for name, value in config.items():
        field = prefix + name
        if name not in known:
            raise ValueError(f"{field}: no such field; the fields are {', '.join(known)}")
        expected = known[name]
        if isinstance(expected, ConfigDict):
            if not isinstance(value, ConfigDict):
                raise ValueError(f"{field}: {value!r} is not a group of fields")
            _check_fields(value, expected, f"{field}.")
        elif not _same_type(value, expected):
            raise ValueError(f"{field}: {value!r} is not a {type(expected).__name__}")


def _same_type(value: Any, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return isinstance(value, tuple | list)
    if isinstance(expected, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(expected)


def _get(config: ConfigDict, field: str) -> Any:
    for name in field.split("."):
        config = config[name]
    return config


def _plain(value: Any) -> Any:
    if isinstance(value, dict | ConfigDict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _at_least(low: float) -> tuple[str, Callable[[Any], bool]]:
    return f"at least {low}", lambda value: value >= low


def _positive() -> tuple[str, Callable[[Any], bool]]:
    return "above 0", lambda value: value > 0


def _one_of(names) -> tuple[str, Callable[[Any], bool]]:
    return f"one of {', '.join(names)}", lambda value: value in names


def _fraction() -> tuple[str, Callable[[Any], bool]]:
    return "at least 0 and below 1", lambda value: 0 <= value < 1


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

_RULES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = tuple(
    (field, *rule)
    for field, rule in (
        ("system", _one_of(SYSTEMS)),
        ("seed", ("from 0 to 2**32 - 1", lambda seed: 0 <= seed < 2**32)),
        ("replicas", _at_least(1)),
        ("batch_size", _at_least(1)),
        ("precision", _one_of(PRECISIONS)),
        ("convolution", _one_of(LOWERINGS)),
        ("data.source", _one_of(tuple(SOURCES))),
        ("data.size", _at_least(0)),
        ("data.pad", _at_least(0)),
        ("data.thicken", _at_least(0)),
        ("data.box", _at_least(0)),
        ("data.canonical", _at_least(0)),
        ("data.labels", ("whole numbers", lambda v: all(type(label) is int for label in v))),
        ("mechanisms", ("a non-empty tuple of names", len)),
        ("mixture", ("shares above 0", lambda shares: all(_is_positive(s) for s in shares))),
        ("experts.count", _at_least(1)),
        ("experts.prune", _fraction()),
        ("experts.kind", _one_of(EXPERTS)),
        ("experts.filters", _at_least(1)),
        ("experts.layers", _at_least(1)),
        ("experts.scales", _at_least(1)),
        ("experts.latent", _at_least(1)),
        ("experts.beta", _at_least(0)),
        ("experts.activation", _one_of(tuple(ACTIVATIONS))),
        ("experts.output", _one_of(tuple(OUTPUTS))),
        ("experts.learning_rate", _positive()),
        ("experts.momentum", _fraction()),
        ("discriminator.stages", _STAGES),
        ("discriminator.hidden", _at_least(1)),
        ("discriminator.activation", _one_of(tuple(ACTIVATIONS))),
        ("discriminator.learning_rate", _positive()),
        ("initialization.steps", _at_least(0)),
        ("initialization.threshold", _at_least(0)),
        ("competition.steps", _at_least(0)),
        ("competition.loss", _one_of(tuple(WINNER_LOSSES))),
        ("competition.decay", ("from 0 to 1", lambda decay: 0 <= decay <= 1)),
        ("competition.reference", _at_least(0)),
        ("competition.restart.every", _at_least(0)),
        ("competition.restart.idle", _fraction()),
        ("competition.restart.crowded", _at_least(1)),
        ("competition.restart.noise", _at_least(0)),
        ("competition.restart.memory", _fraction()),
        ("classifier.kind", _one_of(CLASSIFIERS)),
        ("classifier.stages", _STAGES),
        ("classifier.hidden", _at_least(1)),
        ("classifier.dropout", _fraction()),
        ("classifier.batch_size", _at_least(1)),
        ("classifier.steps", _at_least(0)),
        ("classifier.learning_rate", _positive()),
        ("evaluation.every", _at_least(1)),
        ("evaluation.images", _at_least(1)),
        ("evaluation.last", _at_least(0)),
        ("log.every", _at_least(1)),
        ("checkpoint.every", _at_least(1)),
        ("checkpoint.keep", _at_least(1)),
    )
)
