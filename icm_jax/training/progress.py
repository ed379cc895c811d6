"""The progress line of a phase."""

import contextlib
import logging
import time

from tqdm import tqdm

from icm_jax.training.devices import is_writer

_log = logging.getLogger(__name__)


class Progress:
    """Phase, step, rate and ETA on a terminal; two log lines a phase where there is none."""

    def __init__(self, phase: str, done: int, steps: int):
        _log.info("%s: from step %d of at most %d", phase, done, steps)
        self._phase = phase
        # disable=None: nothing is drawn when stderr is no terminal.
        disable = None if is_writer() else True
        self._bar = tqdm(desc=phase, initial=done, total=steps, unit="step", disable=disable)

    def advance(self, steps: int):
        """Some steps more."""
        self._bar.update(steps)

    @contextlib.contextmanager
    def paused(self):
        """Time spent within it (evaluation, saving) counts neither in the rate nor in the ETA."""
        start = time.monotonic()
        yield
        if not self._bar.disable:
            self._bar.start_t += time.monotonic() - start
            self._bar.last_print_t += time.monotonic() - start

    def ended(self, step: int):
        """Says at which step the phase ended."""
        self.close()
        _log.info("%s: ended at step %d", self._phase, step)

    def close(self):
        """Leaves the line as it stands; a second call does nothing."""
        self._bar.close()
