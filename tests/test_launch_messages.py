"""What launch.py says, and the exit status it leaves with, where it cannot do what it is told."""

import re

import processes
import pytest
from commands import launched

import launch
from icm_jax import experiment, training

MNIST = "--config=configs/mnist.py"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--config: missing; for example --config=configs/mnist.py"),
        (["--mode=evaluate", "--workdir="], "--workdir: missing; --mode=evaluate needs that of a"),
        (["--mode=evaluate"], "workdir: no config can be read from .*/run/config.json: .*No such"),
        ([MNIST, "--mode=evaluate"], ".*/run is not finished; train it first"),
        ([MNIST, "--output=a"], "--output: --mode=train takes none; .*--mode=restore or export"),
        (["--mode=export", "--output=a", "--input=b"], "--input: --mode=export takes none; leave"),
        (
            ["--mode=export", "--output=a", "--process=0"],
            "--process: --mode=export takes none; .* --mode=train or evaluate or study or",
        ),
        ([MNIST, "--mode=study"], "config: a study has the fields name, question"),
        (
            ["--config=configs/study/few.py"],
            "--config: configs/study/few.py is a study; add --mode=study, or --mode=examine",
        ),
        ([f"{MNIST}:papr"], "--config: 'papr' is not allowed; it must be one of whole, paper"),
        ([MNIST, "--config.experts.count=0"], "experts.count: 0 is not allowed; it must be at"),
        (
            [MNIST, "--config.nosuch=3"],
            "no such field: nosuch; --help tells them all .in --c.*",
        ),
        (
            ["--config=configs/faces.py:any"],
            "--config: configs/faces.py takes no argument; leave out the colon and what follows it",
        ),
        ([MNIST, "--config.expert.count=3"], r".*\bexpert\b.* \(in --config.expert.count=3\)$"),
        (
            [MNIST, "--config.data.labels=(11,)"],
            r"data.labels: \(11,\) asks for \[11\], .* labels that exist are \[0, 1, .*, 9\]$",
        ),
    ],
)
def test_bad_input_is_told_in_one_line(arguments, message, tmp_path, capsys):
    status, out, err = launched(capsys, f"--workdir={tmp_path / 'run'}", *arguments)
    assert (status, out) == (1, "")
    assert re.fullmatch(f"error: {message}.*\n", err), err  # the dot matches no end of a line
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--config.experts.count=ten", "flag --config.experts.count=ten: .*'ten'"),
        ("--wordkir=runs/a", "Unknown command line flag 'wordkir'. Did you mean: workdir"),
        (
            "--mode=evalute",
            "flag --mode=evalute: .*<train|evaluate|study|examine|restore|export|predict>",
        ),
    ],
)
def test_flags_that_cannot_be_read_are_told_by_absl(argument, message, tmp_path, capsys):
    status, out, err = launched(capsys, MNIST, f"--workdir={tmp_path / 'run'}", argument)
    assert (status, out) == (1, "")
    said, hint = err.strip().splitlines()
    assert re.match(f"FATAL Flags parsing error: {message}", said) and hint.startswith(
        "Pass --help"
    )
    assert not (tmp_path / "run").exists()


def test_a_misspelt_field_leaves_no_traceback(tmp_path):
    # The program itself: app.run would show a traceback of what the parser of flags raises.
    flags = (MNIST, "--config.experts.cuont=3", f"--workdir={tmp_path / 'run'}")
    (status,), ((out, err),) = processes.finish([processes.start("launch.py", *flags)])
    assert (status, out) == (1, "")
    assert re.fullmatch(r"error: .*cuont.*count.* \(in --config.experts.cuont=3\)\n", err), err
    assert not (tmp_path / "run").exists()


def test_help_tells_the_fields_of_a_config(capsys):
    status, out, _ = launched(capsys, MNIST, "--config.experts.count=7", "--help")
    assert status == 0
    assert "--config.experts.count=7" in out and "--config.competition.restart.every=20" in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--config: '.*/there.py' cannot be read: No such file or directory"),
        ("def get_config(:", "--config: .*/there.py, line 1: invalid syntax"),
        ("x = 1", "--config: .*/there.py has no function get_config; see configs/mnist.py"),
        ("def get_config(_): return 1 / 0", "--config: .*/there.py, line 1: ZeroDivisionError: .*"),
        (
            "import nothing_there\ndef get_config(_): pass",
            "--config: .*/there.py, line 1: ModuleNotFoundError: No module .*",
        ),
        ("\0", "--config: .*/there.py.*null bytes.*"),
        (
            "def get_config(which):\n    raise ValueError(f'{which!r} is not allowed')",
            "--config: .*/there.py, line 2: ValueError: 'short' is not allowed",
        ),
    ],
)
def test_what_is_no_config_file_is_said_in_a_line(tmp_path, text, message, capsys):
    file = tmp_path / "there.py"
    if text is not None:
        file.write_text(text)
    status, out, err = launched(capsys, f"--config={file}:short")
    assert (status, out) == (1, "") and re.fullmatch(f"error: {message}\n", err), err


def failing(monkeypatch, error):
    """Lets all that launch.py can be told to do raise an error."""

    def fail(*_, **__):
        raise error

    for owner, name in (
        (experiment, "run"),
        (launch, "run_study"),
        (launch, "examine_run"),
        (experiment, "use"),
    ):
        monkeypatch.setattr(owner, name, fail)


ERRORS = [
    ValueError("seed: -1 is not allowed"),
    FileNotFoundError("there is no file 'faces.zip'"),
    training.WorkdirError("cannot write runs: No space left on device"),
    training.InUse("another process is using runs/a"),
    training.CheckpointError("all checkpoints are damaged: runs/a"),
    training.NotFinite("seed 0: loss is not finite"),
]


@pytest.mark.parametrize("mode", ["train", "evaluate", "study", "examine", "export"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_expected_error_is_one_line_and_status_1(error, mode, tmp_path, monkeypatch, capsys):
    failing(monkeypatch, error)
    of_mode = [f"--output={tmp_path / 'model.jax'}"] if mode == "export" else [MNIST]
    found = launched(capsys, *of_mode, mode=mode, workdir=tmp_path)
    assert found == (1, "", f"error: {error}\n")


def test_an_error_that_nobody_expects_keeps_its_traceback(tmp_path, monkeypatch, capsys):
    failing(monkeypatch, ZeroDivisionError("a mistake of ours"))
    with pytest.raises(ZeroDivisionError, match="a mistake of ours"):
        launched(capsys, MNIST, workdir=tmp_path)


@pytest.mark.parametrize("mode", ["train", "study"])
@pytest.mark.parametrize(("signum", "expected"), [(15, 143), (2, 130)])
def test_a_signal_is_told_by_the_exit_status(signum, expected, mode, tmp_path, monkeypatch, capsys):
    # examples/slurm.sh and slurm_study.sh put a job back into the queue on 143.
    failing(monkeypatch, training.Interrupted(signum))
    try:
        found = launched(capsys, MNIST, mode=mode, workdir=tmp_path)
    except KeyboardInterrupt:
        pytest.fail("the signal is not caught")  # it would end all tests
    assert found == (expected, "", "")


@pytest.mark.parametrize(("status", "left"), [(143, [143]), (1, []), (None, [])])
def test_after_a_signal_nothing_is_taken_down(status, left, monkeypatch):
    """XLA may be compiling still, in threads that crash when Python ends."""
    exits = []
    monkeypatch.setattr(launch.os, "_exit", exits.append)
    monkeypatch.setattr(launch, "main", lambda argv: status)
    assert launch._leave_at_once(["launch.py"]) == status and exits == left


def test_what_never_was_is_not_evaluated_and_not_made(tmp_path, capsys):
    status, _, err = launched(capsys, MNIST, mode="evaluate", workdir=tmp_path / "never")
    assert status == 1 and err.endswith("never is not finished; train it first\n")
    assert not (tmp_path / "never").exists()
