"""Trains or evaluates an experiment, runs a study of many, or uses what was trained.

  python launch.py --config=configs/mnist.py
  python launch.py --config=configs/mnist.py --config.seed=1 --workdir=runs/seed1
  python launch.py --mode=evaluate --workdir=runs/seed1
  python launch.py --mode=examine --workdir=runs/seed1 --config=configs/study/composition.py:short
  python launch.py --mode=restore --workdir=runs/seed1 --input=photos --output=restored
  python launch.py --mode=export --workdir=runs/seed1 --output=model.jax
  python launch.py --config=configs/mnist.py --config.replicas=5
  python launch.py --mode=study --config=configs/study/seeds.py:short
  srun python launch.py --config=configs/mnist.py --distributed  # see examples/slurm.sh

Every field of the config can be set (--config.experts.count=16); --config=configs/mnist.py --help
tells them all. The same command goes on with a run that was interrupted.
"""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import jax
from absl import app, flags
from absl import logging as absl_logging
from ml_collections import ConfigDict, config_flags

from icm_jax import cache, experiment, training
from icm_jax import config as configs
from icm_jax.paths import find_folder, is_address
from icm_jax.study.examine import examine_run
from icm_jax.study.run import run as run_study
from icm_jax.systems.fields import help_text
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.restore_files import restore_files

_HELP = {"--help", "-help", "-h"}
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Experiment, a file of configs/; with --mode=evaluate that of --workdir."
)
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder of the run, by default runs/<config>-<digest of its fields>; with --mode=study of all "
    "studies, by default runs/studies.",
)
_MODE = flags.DEFINE_enum(
    "mode", "train", (*experiment.MODES, "study", "examine", "restore", "export"), "What to do."
)
_INPUT = flags.DEFINE_string(
    "input", None, "What to restore: an image, a folder or zip of them, or an .npz with 'images'."
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Of --mode=restore a new or empty folder, of --mode=export a file."
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "One of several processes, which Slurm, Open MPI, a TPU, ... tell apart."
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "host:port of process 0, where none of these does."
)
_PROCESSES = flags.DEFINE_integer("processes", None, "How many there are, with --coordinator.")
_PROCESS = flags.DEFINE_integer("process", None, "Which this is, from 0, with --coordinator.")


def _config() -> tuple[ConfigDict, str]:
    """The config and a name for it; of the workdir where there is no --config."""
    if _CONFIG.value is not None:
        file = config_flags.get_config_filename(flags.FLAGS["config"])
        return _CONFIG.value, Path(file).stem
    if _MODE.value == "evaluate" and _WORKDIR.value:
        return configs.from_workdir(_WORKDIR.value), ""
    raise ValueError("--config: missing; for example --config=configs/mnist.py")


def _connect() -> None:
    """Joins the other processes where the flags speak of them."""
    explicit = (_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
    if _DISTRIBUTED.value or explicit != (None, None, None):
        training.connect(*explicit)


def _print(summary: Mapping, workdir: Path) -> None:
    """Prints what a run came to, in a few lines."""
    if "table" in summary:
        print(f"{(workdir / 'table.md').read_text()}{workdir}/table.md")
        return
    print(f"{experiment.describe(summary)}\n{workdir}/report.html")


def _use() -> str:
    """Restores images with a finished run, or exports it; returns what to say of it."""
    for flag in [_WORKDIR, _OUTPUT] + [_INPUT] * (_MODE.value == "restore"):
        if not flag.value:
            raise ValueError(f"--{flag.name}: missing; --mode={_MODE.value} needs it")
    if _CONFIG.value is not None:
        raise ValueError(f"--config: --mode={_MODE.value} takes that of --workdir; leave it out")
    if is_address(_OUTPUT.value):
        raise ValueError(f"--output: {_OUTPUT.value!r} is an address; it must be a path")
    restorer = restore.load(_WORKDIR.value)
    if _MODE.value == "export":
        restore.export(restorer, _OUTPUT.value)
        return _OUTPUT.value
    restored = restore_files(restorer, _INPUT.value, _OUTPUT.value)
    return f"{len(restored.score)} images restored\n{_OUTPUT.value}/restored.csv"


def _examine(config: ConfigDict) -> str:
    """Examines a finished run as a study's config says; returns what to say of it."""
    if not _WORKDIR.value:
        raise ValueError("--workdir: missing; --mode=examine needs it")
    found = examine_run(_WORKDIR.value, config)
    lines = [f"{name}, {key}: {v}" for name, of in found.items() for key, v in of.items()]
    return "\n".join([*lines, f"{_WORKDIR.value}/examined"])


def main(argv: list[str]) -> int | None:
    """Runs what the flags say; returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {' '.join(argv[1:])}")
    absl_logging.set_verbosity(absl_logging.WARNING)  # Orbax tells much at INFO.
    log = logging.getLogger("icm_jax")
    try:
        if _MODE.value in ("restore", "export"):
            print(_use())
            return None
        _connect()
        log.setLevel(logging.INFO if training.is_writer() else logging.WARNING)
        config, name = _config()
        if _MODE.value == "examine":
            print(_examine(config))
            return None
        if _MODE.value == "study":
            root = find_folder(_WORKDIR.value or "runs/studies")
            run_study(config, root)
            print((root / config.name / "table.md").read_text() + str(root / config.name))
            return None
        workdir = find_folder(_WORKDIR.value or experiment.default_workdir(config, name))
        log.info("workdir: %s", workdir)
        result = experiment.run(config, workdir, _MODE.value, command=sys.argv)
    except training.Interrupted as interrupted:
        return 128 + interrupted.signum
    except (
        ValueError,
        FileNotFoundError,
        training.WorkdirError,
        training.CheckpointError,
        training.NotFinite,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if training.is_writer():
        _print(result.summary, workdir)
    return None


def _parse(arguments: list[str]) -> list[str]:
    """Parses flags; a config field that does not exist is an error of one line, as all others.

    With a config, --help tells its fields too.
    """
    of_config = any(a.startswith("--config=") for a in arguments) and _HELP.intersection(arguments)
    try:
        for argument in arguments:
            if argument.startswith("--config="):
                configs.check_file(argument.removeprefix("--config=").split(":")[0])
        rest = app.parse_flags_with_usage([a for a in arguments if not of_config or a not in _HELP])
        if of_config:
            app.usage(shorthelp=True)
            print(f"\nFields of the config:\n\n{help_text(_CONFIG.value)}")
            sys.exit(0)
        return rest
    except ValueError as error:
        sys.exit(f"error: {error}")
    except (AttributeError, KeyError) as error:
        message = str(error).strip("\"'").replace("\\'", "'").replace("\\n", ": ")
        overrides = [a for a in arguments if a.startswith("--config.")]
        sys.exit(f"error: {message} (in {' '.join(overrides)})")


if __name__ == "__main__":
    compiled = os.environ.get("JAX_COMPILATION_CACHE_DIR") or cache.folder("compiled")
    if not is_address(compiled):
        compiled = Path(compiled).expanduser()
    jax.config.update("jax_compilation_cache_dir", str(compiled))
    # A run compiles some fifty small programs beside its few large ones.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    training.keep_host_memory()
    app.run(main, flags_parser=_parse)
