"""The classifiers that a config can name in `classifier.kind`: one row each."""

from collections.abc import Callable

import flax.linen as nn
from ml_collections import ConfigDict

from icm_jax.networks.classifiers import ConvClassifier, FacesClassifier
from icm_jax.networks.compute import Compute


def _conv(config: ConfigDict, classes: int, axis_name: str | None, compute: Compute) -> nn.Module:
    return ConvClassifier(
        classes=classes,
        stages=config.stages,
        hidden=config.hidden,
        dropout=config.dropout,
        axis_name=axis_name,
        compute=compute,
    )


def _faces(config: ConfigDict, classes: int, axis_name: str | None, compute: Compute) -> nn.Module:
    del config, axis_name
    if classes != 2:
        raise ValueError(f"classifier.kind: 'faces' tells two classes apart, not {classes}")
    return FacesClassifier(compute=compute)


# (config.classifier, number of classes, device axis or None, how layers compute) -> a module;
# ValueError where it does not suit the classes. It is called as `ConvClassifier` is.
CLASSIFIERS: dict[str, Callable[[ConfigDict, int, str | None, Compute], nn.Module]] = {
    "conv": _conv,
    "faces": _faces,
}
