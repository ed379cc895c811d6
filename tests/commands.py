"""launch.py in this process, without the seconds that an interpreter of its own takes."""

import sys
import warnings
from unittest import mock

from absl.testing import flagsaver

import launch


def _parsed(argv):
    with warnings.catch_warnings():
        # Of how ml_collections loads a config; tests make errors of warnings.
        warnings.filterwarnings("ignore", "the load_module.. method is deprecated")
        return launch._parse(argv)


def launched(capsys, *arguments, **values):
    """Exit status, stdout and stderr of launch.py with these arguments and values of flags."""
    flags = (f"--{name}={value}" for name, value in values.items())
    argv = ["launch.py", *map(str, arguments), *flags]
    # ml_collections looks in sys.argv for the fields of a config that are set.
    with flagsaver.flagsaver(), mock.patch.object(sys, "argv", argv):
        try:
            status = launch.main(_parsed(argv))
        except SystemExit as left:
            status = left.code
    out, err = capsys.readouterr()
    # What Python does with a message at exit.
    return (1, out, f"{err}{status}\n") if isinstance(status, str) else (status or 0, out, err)
