"""Times training to a stated quality: from the command until all mechanisms are identified.

  python -m benchmarks.time_to_result
  python -m benchmarks.time_to_result --config=configs/mnist_three.py --seeds=0,1,2
  python -m benchmarks.time_to_result --contenders=jax --config.discriminator.losers=4

A run is a process of its own with nothing compiled and no judge. Its seconds end at the first
evaluation, every 50 steps on the same 2,000 test images, in which every mechanism is identified
and the accuracy of restored images is at least 97 %. Start, compilation, initialization, the judge
and all evaluations until then count. Beside icm_jax stands the best PyTorch loop with the paper's
recipe, which the same judge judges (`benchmarks/torch_run.py`; optional). Prints a table in
Markdown and writes the same numbers.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import contenders, machine, tables

_CONTENDERS = ("jax", "best")
_END = 2000  # characters of what a process that failed has said


def main(argv: list[str] | None = None) -> None:
    """Takes the runs that the flags ask for, contenders in turns."""
    flags, overrides = _parse(argv)
    found = {"command": sys.argv, "machine": machine.describe(), "runs": []}
    flags.output.parent.mkdir(parents=True, exist_ok=True)
    for seed in flags.seeds.split(","):
        for name in flags.contenders:
            print(f"{contenders.NAMES[name]}, seed {seed} ...", file=sys.stderr)
            run = _take(name, [*overrides, f"--config.seed={seed}"], flags)
            found["runs"].append({"contender": name, "seed": int(seed), **run})
            # After each run: what was measured is not lost with the next.
            flags.output.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found["runs"]))
    if "best" not in flags.contenders:
        print(f"\n{tables.NO_TORCH}")
    print(f"\nall numbers: {flags.output}")


def _parse(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.time_to_result",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="--config.FIELD=VALUE goes to launch.py as it is.",
    )
    add = parser.add_argument
    add("--config", default="configs/mnist.py", help="configs/mnist.py")
    add("--seeds", default="0,1,2,3,4", help="0,1,2,3,4")
    add("--contenders", help="jax, best (PyTorch best); by default all that can run")
    add("--accuracy", type=float, default=0.97, help="of restored images, at least; 0.97")
    add("--every", type=int, default=50, help="steps between evaluations; 50")
    add("--images", type=int, default=2000, help="test images in each; 2000")
    add("--iterations", type=int, default=3000, help="of PyTorch at most; 3000")
    add("--output", type=Path, default=Path("runs/benchmarks/time_to_result.json"))
    flags, rest = parser.parse_known_args(argv)
    if wrong := [argument for argument in rest if not argument.startswith("--config.")]:
        parser.error(f"unknown: {' '.join(wrong)}")
    torch_too = contenders.has_torch()
    every = _CONTENDERS if torch_too else _CONTENDERS[:1]
    flags.contenders = flags.contenders.split(",") if flags.contenders else list(every)
    if unknown := set(flags.contenders) - set(_CONTENDERS):
        parser.error(f"--contenders: {', '.join(sorted(unknown))}; choose of jax, best")
    if "best" in flags.contenders and not torch_too:
        parser.error("--contenders: best needs PyTorch; pip install -r requirements-benchmark.txt")
    return flags, rest


def _take(name: str, overrides: list[str], flags: argparse.Namespace) -> dict:
    """One run of one contender; see `measure`."""
    evaluation = {"every": flags.every, "images": flags.images, "last": flags.images}
    options = [f"--config={flags.config}", *overrides]
    options += [f"--config.evaluation.{field}={value}" for field, value in evaluation.items()]
    with tempfile.TemporaryDirectory() as scratch:
        options += [f"--workdir={scratch}/run"]
        command = [sys.executable, "launch.py", *options]
        if name == "best":
            iterations = f"--iterations={flags.iterations}"
            command = [sys.executable, "-m", "benchmarks.torch_run", *options, iterations]
        return measure(command, Path(scratch), flags.accuracy)


def measure(command: Sequence[str], scratch: Path, accuracy: float) -> dict:
    """Runs a command until its records, in `<scratch>/run`, say that it is where it should be.

    Returns:
      `reached`, whether it came there; `seconds` until then, or until its end; `evaluation`, the
      last record of one: its `step`, how many mechanisms were `identified` and the `accuracy`.

    Raises:
      RuntimeError: it failed; the message ends as its output did.
    """
    said = scratch / "said.txt"
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(scratch / "compiled"),
        "TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor"),
        "ICM_JAX_PARTS": "",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # JAX judges beside PyTorch
    }
    began = time.monotonic()
    with said.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        try:
            while True:
                running = process.poll() is None
                evaluations = read_evaluations(scratch / "run" / "metrics.jsonl")
                reached = first_reached(evaluations, accuracy)
                if reached is not None or not running:
                    break
                time.sleep(0.1)
            seconds = time.monotonic() - began
        finally:
            process.kill()
            process.wait()
    if reached is None and (process.returncode or not evaluations):
        raise RuntimeError(f"{' '.join(command)}: {said.read_text()[-_END:]}")
    last = evaluations[-1] if reached is None else reached
    return {"reached": reached is not None, "seconds": seconds, "evaluation": last}


def read_evaluations(path: Path) -> list[dict]:
    """The evaluations in `metrics.jsonl` so far; the line that is being written is none yet."""
    if not path.exists():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    records = [record for record in map(json.loads, whole) if "evaluation" in record]
    return [
        {
            "step": record["step"],
            "identified": record["evaluation"]["identified"],
            "mechanisms": len(record["evaluation"]["identified_mechanisms"]),
            "accuracy": record["evaluation"]["accuracy_restored"],
        }
        for record in records
    ]


def first_reached(evaluations: Sequence[dict], accuracy: float) -> dict | None:
    """The first of the evaluations with all mechanisms identified and at least this accuracy."""
    for evaluation in evaluations:
        whole = evaluation["identified"] == evaluation["mechanisms"]
        if whole and evaluation["accuracy"] >= accuracy:
            return evaluation
    return None


def table(runs: Sequence[dict]) -> str:
    """A row a contender: how many of its runs came there, after how many seconds and steps."""
    head = ("", "runs", "reached", "failed", "s, median (least–most)", "steps, median")
    head += ("where failed: identified, accuracy",)
    rows = []
    for name in dict.fromkeys(run["contender"] for run in runs):
        mine = [run for run in runs if run["contender"] == name]
        reached = [run for run in mine if run["reached"]]
        failed = [run["evaluation"] for run in mine if not run["reached"]]
        seconds = [run["seconds"] for run in reached]
        steps = [run["evaluation"]["step"] for run in reached]
        median = f"{statistics.median(seconds):.0f}" if seconds else "–"
        spread = f" ({min(seconds):.0f}–{max(seconds):.0f})" if seconds else ""
        ends = (f"{e['identified']} of {e['mechanisms']}, {e['accuracy']:.1%}" for e in failed)
        rows.append(
            [
                contenders.NAMES[name],
                *(str(len(of)) for of in (mine, reached, failed)),
                median + spread,
                f"{statistics.median(steps):.0f}" if steps else "–",
                "; ".join(ends) or "–",
            ]
        )
    return tables.markdown(head, rows)


if __name__ == "__main__":
    main()
