"""Experts, discriminators and classifiers as Flax Linen modules, for one network and one batch."""
