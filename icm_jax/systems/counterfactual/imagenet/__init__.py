"""Counterfactual generation at the scale of ImageNet (Sauer & Geiger 2021)."""
