"""Where things are kept that can be made again, of all runs of a user."""

from pathlib import Path


def folder(name: str) -> Path:
    """`~/.cache/icm_jax/<name>`; it may be deleted at any time, and is not made here."""
    return Path("~/.cache/icm_jax").expanduser() / name
