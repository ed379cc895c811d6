"""Risk: what a network does not know, estimated, measured and mended."""
