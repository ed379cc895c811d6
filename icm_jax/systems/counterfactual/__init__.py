"""Counterfactual generation: shape, foreground and background that can be told apart."""
