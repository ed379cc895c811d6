"""Activations that a config can name."""

import flax.linen as nn

ACTIVATIONS = {"elu": nn.elu, "relu": nn.relu, "leaky_relu": nn.leaky_relu, "gelu": nn.gelu}
