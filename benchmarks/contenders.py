"""What is compared: makes each contender by name, importing only the library that it needs."""

import importlib.util
from typing import NamedTuple, Protocol

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.systems import registry

NAMES = {
    "jax": "icm_jax",
    "plain": "PyTorch plain",
    "best": "PyTorch best",
    "replicas": "icm_jax, replicas",
}
SHAPE = (28, 28, 1)
_BATCHES = 8


class Options(NamedTuple):
    """What all contenders are given; `precision` and `convolution` are the config's where None."""

    experts: int
    batch: int = 32
    precision: str | None = None
    convolution: str | None = None
    replicas: int = 0


class Contender(Protocol):
    """Takes training iterations."""

    def run(self, iterations: int) -> None:
        """Takes so many and waits for the last."""

    def distinct_winners(self) -> float:
        """Experts that won something in the last iteration."""


def config(options: Options) -> ConfigDict:
    """The config of these options.

    Raises:
      ValueError: a value is not allowed.
    """
    result = default_config("icm")
    result.experts.count, result.batch_size = options.experts, options.batch
    for name in ("precision", "convolution"):
        value = getattr(options, name)
        if value is not None:
            result[name] = value
    registry.validate(result)
    return result


def has_torch() -> bool:
    """Whether PyTorch can be imported."""
    return importlib.util.find_spec("torch") is not None


def make(name: str, options: Options) -> Contender:
    """The contender called `name`, a key of `NAMES`."""
    if name in ("jax", "replicas"):
        from benchmarks import jax_loop

        return jax_loop.Loop(config(options), SHAPE, options.replicas * (name == "replicas"))
    return _Torch(name, options)


class _Torch:
    """A loop of `benchmarks.torch_loops` on a few batches of random images made beforehand."""

    def __init__(self, name: str, options: Options):
        import torch

        from benchmarks import torch_loops

        self._torch = torch
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._precision = options.precision or "float32"
        if self._device == "cuda":
            reduced = self._precision != "float32"
            torch.set_float32_matmul_precision("high" if reduced else "highest")
            torch.backends.cudnn.allow_tf32 = reduced
        torch.manual_seed(0)
        size, _, channels = SHAPE
        kind = {"plain": torch_loops.Plain, "best": torch_loops.Best}[name]
        self._loop = kind(options.experts, channels, size, self._device)
        shape = (_BATCHES, 2, options.batch, channels, size, size)
        self._batches = torch.rand(shape, device=self._device)
        self._winner = torch.zeros(options.batch, dtype=torch.int64)

    def run(self, iterations: int) -> None:
        lower = self._precision == "bfloat16"
        with self._torch.autocast(self._device, self._torch.bfloat16, enabled=lower):
            for i in range(iterations):
                _, self._winner = self._loop.step(*self._batches[i % _BATCHES])
        if self._device == "cuda":
            self._torch.cuda.synchronize()

    def distinct_winners(self) -> float:
        return float(len(set(self._winner.tolist())))
