"""Systems: what the training loop can train."""
