"""The machine: what it is, how fast it multiplies matrices and copies memory."""

import datetime
import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from icm_jax.report import provenance

_REPEATS = 5


def describe() -> dict:
    """Processor, cores, devices, versions and date, as JSON values."""
    versions = {}
    for name in ("jax", "jaxlib", "flax", "torch"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "processor": provenance.name_processor(),
        "cores": provenance.count_cores(),
        "devices": [device.device_kind for device in jax.devices()],
        "backend": jax.default_backend(),
        "python": platform.python_version(),
        "versions": versions,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def matrix_rates(precision: str, torch_too: bool) -> dict[str, float]:
    """FLOP/s of a square matrix product by "jax" and "torch", the median of a few.

    Args:
      precision: float32, tf32 or bfloat16; a CPU has the first two in one.
      torch_too: whether to ask PyTorch.
    """
    accelerated = jax.default_backend() != "cpu"
    size, products = (8192, 20) if accelerated else (2048, 2)
    flops = products * 2 * size**3
    rates = {"jax": flops / _jax_seconds(size, products, precision)}
    if torch_too:
        rates["torch"] = flops / _torch_seconds(size, products, precision)
    return rates


def copy_bandwidth() -> float:
    """Bytes read and written in a second, adding to a large array."""
    numbers, passes = 2**27, 10  # 512 MiB, beyond any cache

    @jax.jit
    def add(x):
        return jax.lax.fori_loop(0, passes, lambda _, x: x + 1.0, x)

    x = jnp.zeros(numbers)
    return passes * 2 * 4 * numbers / _seconds(lambda: add(x).block_until_ready())


def _jax_seconds(size: int, products: int, precision: str) -> float:
    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    a = (jax.random.normal(jax.random.key(0), (size, size)) / size**0.5).astype(dtype)
    how = jax.lax.Precision.HIGHEST if precision == "float32" else jax.lax.Precision.DEFAULT

    @jax.jit
    def multiply(a):
        x = a
        for _ in range(products):
            x = jnp.matmul(x, a, precision=how)
        return x

    return _seconds(lambda: multiply(a).block_until_ready())


def _torch_seconds(size: int, products: int, precision: str) -> float:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a = (torch.randn(size, size, device=device) / size**0.5).to(dtype)

    def multiply():
        x = a
        for _ in range(products):
            x = x @ a
        if device == "cuda":
            torch.cuda.synchronize()

    return _seconds(multiply)


def _seconds(run: Callable[[], object]) -> float:
    run()
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
