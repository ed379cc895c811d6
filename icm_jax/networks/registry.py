"""The classifiers that a config can name."""

from icm_jax.networks.exquisite_net import ExquisiteNetV2
from icm_jax.networks.features import CNN, MLP, VGG

CLASSIFIERS = {"cnn": CNN, "vgg": VGG, "exquisite": ExquisiteNetV2, "mlp": MLP}
