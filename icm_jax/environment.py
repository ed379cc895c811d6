"""What a program finds around it: variables, settings of JAX, a terminal, Ctrl-C.

Nothing is imported here but the standard library, so that `prepare` can come before all else.
"""

import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from types import TracebackType

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_GUARDED = (None, "allow", "log", "log_explicit")

# Settings of JAX, the values with which all works and comes to the same numbers, and why.
_SETTINGS = {
    "jax_enable_x64": ((False,), "all numbers here have 32 bits"),
    "jax_disable_jit": ((False,), "steps are compiled ahead of time"),
    "jax_debug_nans": ((False,), "NaN stands for what is not known; a loss that is NaN is told"),
    "jax_debug_infs": ((False,), "minus infinity is a score here; a loss that is not is told"),
    "jax_debug_key_reuse": ((False,), "what it takes for reuse is meant"),
    "jax_numpy_dtype_promotion": (("standard",), "whole numbers are added to others"),
    "jax_default_prng_impl": (("threefry2x32",), "a seed stands for the same numbers everywhere"),
    "jax_threefry_partitionable": ((True,), "a seed stands for the same numbers everywhere"),
    "jax_no_tracing": ((False,), "steps must be traced"),
    "jax_no_execution": ((False,), "steps must be taken"),
    "jax_transfer_guard": (_NOT_GUARDED, "images and results go to the device and back"),
    "jax_transfer_guard_host_to_device": (_NOT_GUARDED, "images go to the device"),
    "jax_transfer_guard_device_to_device": (_NOT_GUARDED, "a state is copied to all devices"),
    "jax_transfer_guard_device_to_host": (_NOT_GUARDED, "results come from the device"),
}


def prepare() -> None:
    """Makes a program ready for its imports; the first thing that it does, `ready` follows them.

    Figures need no window, whatever backend is set, and not even one that is there; nor do they
    need a user's style, which may be damaged. What cannot be imported is told in a line. Ctrl-C
    ends the program without one.
    """
    os.environ["MPLBACKEND"] = "agg"
    os.environ["MATPLOTLIBRC"] = os.devnull
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.excepthook = _tell_import_error
    if any(option.startswith("error") for option in sys.warnoptions):
        # Packages warn of what will change in others; that is no end of a run.
        warnings.simplefilter("default")
    if sys.stdout is not None:
        # A path may have letters that the terminal, or no text at all, can show.
        sys.stdout.reconfigure(errors="backslashreplace")


def ready() -> None:
    """Ends what `prepare` began."""
    sys.excepthook = _tell_error
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _tell_error(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    # Where a disk is full, TensorStore's threads go on for a loop that the failed save has left.
    of_thread = threading.current_thread() is not threading.main_thread()
    if not (of_thread and str(error) == "Event loop is closed"):
        sys.__excepthook__(kind, error, where)


def _tell_import_error(
    kind: type[BaseException], error: BaseException, _: TracebackType | None
) -> None:
    if isinstance(error, ModuleNotFoundError):
        remedy = "pip install -r requirements.txt"
        print(f"error: {error}; {remedy}", file=sys.stderr)
        return
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    where = [file for file in files if os.path.exists(file)][-1]  # others are within Python
    print(f"error: an import failed, in {where}: {kind.__name__}: {_line(error)}", file=sys.stderr)


@contextlib.contextmanager
def quiet_end() -> Iterator[None]:
    """Lets Ctrl-C, or a reader of the output that is gone (`| head`), end a program in silence.

    An output that cannot be written, to a full disk say, ends it with an error of one line.
    """
    status = 0
    try:
        yield
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BrokenPipeError:
        status = 128 + signal.SIGPIPE
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        status = _lose(sys.stdout, error)
    except SystemExit as left:
        if left.code:
            raise
    finally:
        lost = max([_flush(stream) for stream in (sys.stdout, sys.stderr)])
    if status or lost:
        sys.exit(status or lost)


def _flush(stream) -> int:
    """Flushes a stream; returns the exit status that this should have."""
    try:
        if stream is not None:
            stream.flush()
    except OSError as error:
        return _lose(stream, error)
    return 0


def _lose(stream, error: OSError) -> int:
    """Gives up what the file of a stream does not take; returns the exit status for that."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())  # so that Python need not tell at its end
    if isinstance(error, BrokenPipeError):
        return 128 + signal.SIGPIPE
    print(f"error: cannot write the output: {error.strerror}", file=sys.stderr)
    return 1


@contextlib.contextmanager
def logged_from(severity: str) -> Iterator[None]:
    """Within it packages that log by absl are silent below 'error' or 'fatal'."""
    import absl.logging

    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(severity)
    try:
        yield
    finally:
        absl.logging.set_verbosity(verbosity)


def require_jax() -> None:
    """Refuses settings of JAX with which a run fails or comes to other numbers, and no device.

    It starts JAX, so that with several processes it comes after they are joined.

    Raises:
      ValueError: naming the setting, its value and what it must be, or that there is no device.
    """
    import jax

    for name, (allowed, why) in _SETTINGS.items():
        value = getattr(jax.config, name, allowed[0])
        value = getattr(value, "value", value)  # of an enumeration
        if value not in allowed:
            raise ValueError(
                f"{name.upper()}: {value!r} is not allowed, {why}; set it to {allowed[0]!r} in the "
                "environment or by jax.config.update, or leave it out"
            )
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        why = f": {_line(error)}" if str(error) else ""
        raise ValueError(
            f"JAX_PLATFORMS: {jax.config.jax_platforms!r} cannot be used here{why}; leave it out, "
            "or choose cpu"
        ) from error


def config_message(error: Exception, arguments: Sequence[str]) -> str:
    """Says what is wrong with a config or a field that is set; arguments as `with_config` has."""
    file = config_file(arguments)
    if file is not None:
        chain = _chain(error)
        said = _line(chain[-1])
        if said.startswith("config: "):  # what the argument of a file may be
            return f"--{said}"
        if said.startswith("get_config() takes 0 positional"):
            return f"--config: {file} takes no argument; leave out the colon and what follows it"
        for one in chain:
            for frame in reversed(traceback.extract_tb(one.__traceback__)):
                if os.path.abspath(frame.filename) == os.path.abspath(file):
                    said = f"{type(one).__name__}: {_line(one)}"
                    return f"--config: {file}, line {frame.lineno}: {said}"
        if any(isinstance(one, TypeError | ValueError) for one in chain):
            return f"--config: {file}: {_line(chain[-1])}"
    message = str(error).strip("\"'").replace("\\'", "'").replace("\\n", ": ")
    if message.isidentifier():  # of ml_collections, where no other is like it
        message = f"no such field: {message}; --help tells them all"
    fields = " ".join(a for a in arguments if a.startswith("--config."))
    return f"{_line(message)} (in {fields or '--config'})"


def _chain(error: BaseException) -> list[BaseException]:
    """An error and those that it was raised for, the first of them last."""
    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    return chain


def config_file(arguments: Sequence[str]) -> str | None:
    """The file of the config, without its argument; None where there is none."""
    files = [a.partition("=")[2] for a in arguments if a.startswith("--config=")]
    return files[-1].partition(":")[0] if files else None


def with_config(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--config a.py` as `--config=a.py`, and the home folder for its `~`."""
    joined, rest = [], iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name not in ("-config", "--config"):
            joined.append(argument)
            continue
        joined.append(f"--config={os.path.expanduser(value if equals else next(rest, ''))}")
    return joined


def _line(error: object) -> str:
    """The text of an error in one line."""
    return ": ".join(filter(None, (part.strip() for part in str(error).splitlines())))
