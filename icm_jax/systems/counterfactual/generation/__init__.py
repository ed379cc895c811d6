"""The generator: mechanisms that learn from images and their labels."""
