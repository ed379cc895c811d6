"""Risk-aware training: networks that say what they do not know."""
