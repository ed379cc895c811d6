"""Studies: variants of a config x seeds, of whichever system, and what they come to together."""
