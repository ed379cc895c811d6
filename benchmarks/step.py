"""Times a training iteration of the competition, in icm_jax and in PyTorch, in one run.

  pip install -r requirements-benchmark.txt
  python -m benchmarks.step
  python -m benchmarks.step --experts=10 --contenders=jax --iterations=50

Both sides learn in an iteration, experts and discriminator. icm_jax also draws and transforms its
images; the PyTorch loops are fed random ones. Prints tables in Markdown and writes all times.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

import jax

from benchmarks import apart, contenders, machine, memory, tables, timing, work


def main(argv: list[str] | None = None) -> None:
    """Measures what the flags say."""
    flags = _parse(argv)
    flags.output.parent.mkdir(parents=True, exist_ok=True)
    print(tables.of_steps(_measure(flags)))
    print(f"\nall times: {flags.output}")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ", ".join(f"{key} ({name})" for key, name in contenders.NAMES.items())
    add = parser.add_argument
    add("--experts", type=_integers, default=[3, 10, 30, 100], help="counts; 3,10,30,100")
    add("--batch", type=int, default=32, help="images an iteration; 32")
    add("--iterations", type=int, default=10, help="timed, of each contender; 10")
    add("--seconds", type=float, default=120, help="for each contender, after ten iterations; 120")
    add("--contenders", type=_names, help=f"{names}; by default all that can run")
    add("--replicas", type=int, default=0, help="runs at once in one program, as a contender; 0")
    add("--precision", help="float32, tf32 or bfloat16; by default that of configs")
    add("--convolution", help="config field of that name; by default that of configs")
    add("--memory", type=int, choices=(0, 1), default=1, help="whether to measure memory; 1")
    add("--output", type=Path, default=Path("runs/benchmarks/step.json"), help="JSON file")
    flags = parser.parse_args(argv)
    if flags.contenders is None:
        flags.contenders = ["jax"] + ["plain", "best"] * contenders.has_torch()
        flags.contenders += ["replicas"] * bool(flags.replicas)
    elif "replicas" in flags.contenders and not flags.replicas:
        parser.error("--contenders=replicas needs --replicas")
    try:
        for count in flags.experts:
            contenders.config(_options(flags, count))
    except ValueError as error:
        parser.error(str(error))
    return flags


def _measure(flags: argparse.Namespace) -> dict:
    """Everything that is measured, as JSON values, which `flags.output` holds in the end."""
    torch_too = not {"plain", "best"}.isdisjoint(flags.contenders)
    precision = flags.precision or "float32"
    found = {
        "command": sys.argv,
        "machine": machine.describe(),
        "torch": torch_too,
        "precision": flags.precision,
        "convolution": flags.convolution,
        "batch": flags.batch,
        "replicas": flags.replicas,
        "matrix_rates": machine.matrix_rates(precision, torch_too),
        "copy_bandwidth": machine.copy_bandwidth(),
        "experts": [],
    }
    for count in flags.experts:
        print(f"{count} experts ...", file=sys.stderr)
        found["experts"].append(_measure_count(flags, count))
        # After each count: what was measured is not lost when the next takes too much.
        flags.output.write_text(json.dumps(found, indent=2) + "\n")
    return found


def _measure_count(flags: argparse.Namespace, count: int) -> dict:
    options = _options(flags, count)
    # Waiting for an accelerator after every iteration would be timed with it.
    chunk = 1 if jax.default_backend() == "cpu" else max(1, flags.iterations // 10)
    with contextlib.ExitStack() as stack:
        rivals = {
            name: stack.enter_context(contextlib.closing(apart.Apart(name, options)))
            for name in flags.contenders
        }
        results = timing.in_turns(rivals, flags.iterations, flags.seconds, chunk)
    itemsize = 2 if flags.precision == "bfloat16" else 4
    needed = work.step(contenders.config(options), contenders.SHAPE, itemsize)
    for name, result in results.items():
        result.update(timing.summary(result["times"]))
        if flags.memory:
            result["memory"] = memory.of(name, options)
    return {
        "experts": count,
        "chunk": chunk,
        "work": needed._asdict(),
        "contenders": results,
    }


def _options(flags: argparse.Namespace, count: int) -> contenders.Options:
    return contenders.Options(
        count, flags.batch, flags.precision, flags.convolution, flags.replicas
    )


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(contenders.NAMES):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    # Contenders share an accelerator's memory; the processes that measure it compile nothing.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        jax.config.update("jax_compilation_cache_dir", folder)
        main()
