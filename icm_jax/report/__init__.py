"""Results to look at: arrays and numbers in, figures and one HTML page out."""
