"""Activations that a config can name."""

import flax.linen as nn

ACTIVATIONS = {"elu": nn.elu, "relu": nn.relu, "leaky_relu": nn.leaky_relu, "gelu": nn.gelu}

# Of the images that experts make: in (0, 1), or not below 0.
OUTPUTS = {"sigmoid": nn.sigmoid, "relu": nn.relu}
