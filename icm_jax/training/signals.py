"""SIGTERM and SIGINT: finish the step, save, leave."""

import contextlib
import signal
import threading


class Interrupted(KeyboardInterrupt):
    """A run stopped by a signal after it was saved; the same command goes on with it.

    Attributes:
      signum: the signal; a launcher leaves with 128 + signum.
    """

    def __init__(self, signum: int):
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class StopSignals:
    """Notes SIGTERM and SIGINT while it is entered; a second one raises KeyboardInterrupt.

    Outside the main thread Python allows no handlers: there nothing is ever noted.

    Attributes:
      signum: the signal received, None so far.
    """

    def __init__(self, alone: bool):
        """`alone` is False for one of several processes: it must not leave where others stay."""
        self.signum: int | None = None
        self._alone = alone
        self._immediately = False
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGTERM, signal.SIGINT):
                self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(self, *_):
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    @contextlib.contextmanager
    def at_once(self):
        """Within it a signal raises `Interrupted` where it finds the program, before any save.

        One of several processes only notes it here, too.
        """
        self._immediately = self._alone
        try:
            if self._immediately and self.signum is not None:
                raise Interrupted(self.signum)
            yield
        finally:
            self._immediately = False

    def _handle(self, signum, _):
        if self.signum is not None:
            raise KeyboardInterrupt
        self.signum = signum
        if self._immediately:
            raise Interrupted(signum)
