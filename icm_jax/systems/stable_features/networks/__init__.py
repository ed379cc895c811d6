"""The classifiers of stable features as Flax Linen modules."""
