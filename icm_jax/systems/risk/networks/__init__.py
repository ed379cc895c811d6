"""Networks that risk-aware training starts from."""
