"""What networks of several systems are made of, as Flax Linen modules for one batch."""
