"""A detector of faces that knows which of them it has hardly seen, and draws these more often."""
