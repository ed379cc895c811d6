"""Weights that others trained: files of PyTorch, the authors' generators, VGG16."""
