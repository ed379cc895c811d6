"""Trains or evaluates an experiment, runs a study of many, or uses what was trained.

  python launch.py --config=configs/mnist.py
  python launch.py --config=configs/mnist.py --config.seed=1 --workdir=runs/seed1
  python launch.py --mode=evaluate --workdir=runs/seed1
  python launch.py --mode=examine --workdir=runs/seed1 --config=configs/study/composition.py:short
  python launch.py --mode=restore --workdir=runs/seed1 --input=photos --output=restored
  python launch.py --mode=export --workdir=runs/seed1 --output=model.jax
  python launch.py --mode=predict --workdir=runs/risk --input=photos --output=predicted
  python launch.py --mode=generate --workdir=runs/cgn --output=made --labels=7,any,2 --count=100000
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

from icm_jax import environment

if __name__ == "__main__":
    environment.prepare()

import jax  # noqa: E402
from absl import app, flags  # noqa: E402
from absl import logging as absl_logging  # noqa: E402
from ml_collections import ConfigDict, config_flags  # noqa: E402

from icm_jax import cache, experiment, paths, training  # noqa: E402
from icm_jax import config as configs  # noqa: E402
from icm_jax.study.examine import examine_run  # noqa: E402
from icm_jax.study.run import run as run_study  # noqa: E402
from icm_jax.systems import registry  # noqa: E402
from icm_jax.systems.fields import help_text  # noqa: E402

_USES = registry.uses()
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
_MODES = (*experiment.MODES, "study", "examine")  # that train, or look at what was trained
_MODE = flags.DEFINE_enum("mode", "train", (*_MODES, *_USES), "What to do.")
_INPUT = flags.DEFINE_string(
    "input",
    None,
    "What to restore or predict: an image, a folder or zip of them, or an .npz with 'images'; of "
    "a table a .csv, or an .npz with 'features'. What to stylize: an image.",
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Of --mode=restore a new or empty folder, of --mode=export a file, of other modes a folder.",
)
_LABELS = flags.DEFINE_string(
    "labels",
    None,
    "Of --mode=generate, of shape, foreground and background: each a class, or any, which draws "
    "one for each image; any,any,any by default.",
)
_COUNT = flags.DEFINE_integer(
    "count", None, "Images of --mode=generate, 10000 by default, 100 of ImageNet's size."
)
_SEED = flags.DEFINE_integer(
    "seed", None, "Of what --mode=generate and --mode=stylize draw, 0 by default."
)
_TRUNCATION = flags.DEFINE_float(
    "truncation",
    None,
    "Of --mode=generate of a run of configs/counterfactual_imagenet.py, above 0, at most 1; by "
    "default as in training. Less makes images more alike.",
)
_OPTIONS = (_LABELS, _COUNT, _SEED, _TRUNCATION)
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
        if not isinstance(_CONFIG.value, ConfigDict):
            kind = type(_CONFIG.value).__name__
            raise ValueError(f"--config: get_config of {file} returns {kind}, not a ConfigDict")
        if _MODE.value in experiment.MODES and "variants" in _CONFIG.value:
            raise ValueError(f"--config: {file} is a study; add --mode=study, or --mode=examine")
        return _CONFIG.value, Path(file).stem
    if _MODE.value == "evaluate":
        if not _WORKDIR.value:
            raise ValueError("--workdir: missing; --mode=evaluate needs that of a finished run")
        return configs.from_workdir(_path(_WORKDIR)), ""
    raise ValueError("--config: missing; for example --config=configs/mnist.py")


def _path(flag: flags.FlagHolder[str]) -> Path:
    """The path that a flag gives."""
    return paths.local(flag.value, f"--{flag.name}")


def _check_flags() -> None:
    """Refuses what the mode does not take: it would be left out in silence."""
    takers = [(_INPUT, [mode for mode in _USES if _USES[mode].takes_input]), (_OUTPUT, _USES)]
    takers += [(flag, _MODES) for flag in (_COORDINATOR, _PROCESSES, _PROCESS, _DISTRIBUTED)]
    for flag in _OPTIONS:
        takers.append((flag, [mode for mode in _USES if flag.name in _USES[mode].options]))
    for flag, modes in takers:
        is_given = flag.value not in (None, "") and flag.value is not False
        if is_given and _MODE.value not in modes:
            raise ValueError(
                f"--{flag.name}: --mode={_MODE.value} takes none; leave it out, or choose --mode="
                f"{' or '.join(modes)}"
            )


def _connect() -> None:
    """Joins the other processes where the flags speak of them."""
    explicit = (_COORDINATOR.value, _PROCESSES.value, _PROCESS.value)
    if _DISTRIBUTED.value or explicit != (None, None, None):
        training.connect(*explicit)


def _print(summary: Mapping, workdir: Path) -> None:
    """Prints what a run came to, in a few lines."""
    if "table" in summary:
        print(f"{(workdir / 'table.md').read_text('utf-8')}{workdir}/table.md")
        return
    print(f"{experiment.describe(summary)}\n{workdir}/report.html")


def _use() -> str:
    """Uses a finished run as the mode says; returns what to say of it."""
    mode = _MODE.value
    takes_input = _USES[mode].takes_input
    for flag in [_WORKDIR, _OUTPUT] + [_INPUT] * takes_input:
        if not flag.value:
            raise ValueError(f"--{flag.name}: missing; --mode={mode} needs it")
    if _CONFIG.value is not None:
        raise ValueError(f"--config: --mode={mode} takes that of --workdir; leave it out")
    source = _path(_INPUT) if takes_input else None
    options = {flag.name: flag.value for flag in _OPTIONS if flag.value not in (None, "")}
    return experiment.use(mode, _path(_WORKDIR), source, _path(_OUTPUT), **options)


def _examine(config: ConfigDict) -> str:
    """Examines a finished run as a study's config says; returns what to say of it."""
    if not _WORKDIR.value:
        raise ValueError("--workdir: missing; --mode=examine needs it")
    workdir = _path(_WORKDIR)
    found = examine_run(workdir, config)
    lines = [f"{name}, {key}: {v}" for name, of in found.items() for key, v in of.items()]
    return "\n".join([*lines, f"{workdir}/examined"])


def main(argv: list[str]) -> int | None:
    """Runs what the flags say; returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {' '.join(argv[1:])}")
    absl_logging.set_verbosity(absl_logging.WARNING)  # Orbax tells much at INFO.
    log = logging.getLogger("icm_jax")
    try:
        _check_flags()
        if _MODE.value in _USES:
            environment.require_jax()
            print(_use())
            return None
        _connect()
        environment.require_jax()
        log.setLevel(logging.INFO if training.is_writer() else logging.WARNING)
        config, name = _config()
        if _MODE.value == "examine":
            print(_examine(config))
            return None
        if _MODE.value == "study":
            root = _path(_WORKDIR) if _WORKDIR.value else Path("runs/studies")
            run_study(config, root)
            print((root / config.name / "table.md").read_text("utf-8") + str(root / config.name))
            return None
        default = experiment.default_workdir(config, name)
        workdir = _path(_WORKDIR) if _WORKDIR.value else default
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
        training.OutOfMemory,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if training.is_writer():
        _print(result.summary, workdir)
    return None


def _leave_at_once(argv: list[str]) -> int | None:
    """As `main`, but after a signal Python is not taken down: XLA, still compiling, would crash.

    All is saved then. Several processes tell each other that they leave, and so do take it down.
    """
    status = main(argv)
    if status is not None and status > 128 and jax.process_count() == 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _parse(arguments: list[str]) -> list[str]:
    """Parses flags; what is wrong with a config is an error of one line, as all others.

    With a config, --help tells its fields too.
    """
    arguments = environment.with_config(arguments)
    file = environment.config_file(arguments)
    of_config = file is not None and _HELP.intersection(arguments)
    if of_config:
        arguments = [a for a in arguments if a not in _HELP]
    try:
        if file is not None:
            configs.check_file(file)
    except ValueError as error:
        sys.exit(f"error: {error}")
    try:
        rest = flags.FLAGS(arguments)
        if of_config:
            app.usage(shorthelp=True)
            print(f"\nFields of the config:\n\n{help_text(_CONFIG.value)}")
            sys.exit(0)
        return rest
    except BrokenPipeError:
        raise  # of --help | head
    except Exception as error:
        if isinstance(error, flags.Error) and not str(error).startswith("flag --config="):
            sys.exit(f"FATAL Flags parsing error: {error}\nPass --help to see help on flags.")
        message = environment.config_message(error, arguments)
    sys.exit(f"error: {message}")


if __name__ == "__main__":
    environment.ready()
    jax.config.update("jax_compilation_cache_dir", cache.compiled())
    # A run compiles some fifty small programs beside its few large ones.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    training.keep_host_memory()
    with environment.quiet_end():
        app.run(_leave_at_once, flags_parser=_parse)
