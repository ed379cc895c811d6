"""Times whole runs of an experiment as a newcomer meets them: one process each, nothing compiled.

  python -m benchmarks.run
  python -m benchmarks.run --config=configs/mnist_three.py --seeds=0,1

Prints a table in Markdown and writes the same numbers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.tables import markdown
from icm_jax import experiment


def main(argv: list[str] | None = None) -> None:
    """Takes the runs that the flags ask for, one after the other."""
    flags, overrides = _parse(argv)
    found = {"command": sys.argv, "machine": machine.describe(), "runs": []}
    for seed in flags.seeds.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            workdir = (flags.workdir or Path(scratch)) / f"seed{seed}"
            options = [f"--config={flags.config}", f"--config.seed={seed}", *overrides]
            found["runs"].append({"seed": int(seed), **_timed(options, workdir)})
    print(table(found["runs"]))
    flags.output.parent.mkdir(parents=True, exist_ok=True)
    flags.output.write_text(json.dumps(found, indent=2) + "\n")


def _parse(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="--config.FIELD=VALUE goes to launch.py as it is.",
    )
    parser.add_argument("--config", default="configs/mnist.py", help="configs/mnist.py")
    parser.add_argument("--seeds", default="0", help="0, or several as 0,1,2")
    parser.add_argument("--workdir", type=Path, help="folder to keep the runs in; else they go")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks/run.json"))
    flags, rest = parser.parse_known_args(argv)
    if wrong := [argument for argument in rest if not argument.startswith("--config.")]:
        parser.error(f"unknown: {' '.join(wrong)}")
    return flags, rest


def _timed(options: list[str], workdir: Path) -> dict:
    """Runs launch.py with nothing compiled and no judge; returns where its seconds went."""
    if workdir.exists():
        sys.exit(f"error: {workdir} is there already; a run in it would not begin anew")
    with tempfile.TemporaryDirectory() as cache:
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "launch.py", *options, f"--workdir={workdir}"],
            check=True,
            env={**os.environ, "JAX_COMPILATION_CACHE_DIR": cache, "ICM_JAX_PARTS": ""},
        )
        wall = time.monotonic() - began
    return {"wall_seconds": wall, **split(workdir)}


def split(workdir: Path) -> dict:
    """The times of the phases of a finished run, its auxiliary systems first, and its result."""
    summary = json.loads((workdir / "summary.json").read_text())
    phases = {}
    for path in sorted(workdir.glob("*/summary.json")):
        before = json.loads(path.read_text())["phases"]
        phases.update({f"{path.parent.name}: {name}": times for name, times in before.items()})
    phases.update(summary["phases"])
    return {"phases": phases, "result": experiment.describe(summary)}


def table(runs: list[dict]) -> str:
    """Wall seconds and their parts; the rest is start, data, evaluation, checkpoints and report."""
    names = list(runs[0]["phases"])
    head = ["seed", "wall s", *(f"{name} s (compilation)" for name in names), "rest s"]
    rows = []
    for run in runs:
        times = [run["phases"][name] for name in names]
        rest = run["wall_seconds"] - sum(t["seconds"] + t["compile_seconds"] for t in times)
        rows.append(
            [
                str(run["seed"]),
                f"{run['wall_seconds']:.0f}",
                *(f"{t['seconds']:.0f} ({t['compile_seconds']:.0f})" for t in times),
                f"{rest:.0f}",
                run["result"],
            ]
        )
    return markdown([*head, "result"], rows)


if __name__ == "__main__":
    main()
