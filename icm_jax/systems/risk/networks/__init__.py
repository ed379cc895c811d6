"""Networks of the risk-aware systems."""
