"""What a trained system is measured by: host arrays in, numbers out."""
