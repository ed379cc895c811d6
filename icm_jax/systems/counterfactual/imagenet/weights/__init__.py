"""Weights that others trained, from the public files and by the names in these."""
