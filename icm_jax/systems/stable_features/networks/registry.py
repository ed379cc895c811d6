"""The classifiers that a config can name."""

from icm_jax.systems.stable_features.networks.exquisite_net import ExquisiteNetV2
from icm_jax.systems.stable_features.networks.features import CNN, MLP, VGG

CLASSIFIERS = {"cnn": CNN, "vgg": VGG, "exquisite": ExquisiteNetV2, "mlp": MLP}
