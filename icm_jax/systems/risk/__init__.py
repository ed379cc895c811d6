"""Risk-aware training: predictions with what a network does not know about them."""
