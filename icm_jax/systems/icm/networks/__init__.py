"""Experts and discriminators as Flax Linen modules, for one network and one batch."""
