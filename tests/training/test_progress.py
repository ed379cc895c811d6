import io
import logging
import sys
import time

from training import toy

from icm_jax.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_terminal_shows_phase_step_and_rate(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress("warmup", done=2, steps=4)
    progress.advance(1)
    progress.advance(1)
    progress.ended(4)
    last = terminal.getvalue().split("\r")[-1]
    assert "warmup" in last and "4/4" in last and "step/s" in last


def test_pauses_do_not_count_in_the_rate(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    progress = Progress("warmup", done=0, steps=4)
    with progress.paused():
        time.sleep(0.2)
    progress.advance(2)
    elapsed = progress._bar.format_dict["elapsed"]
    progress.close()
    assert elapsed < 0.1


def test_quiet_where_there_is_no_terminal(tmp_path, capfd, caplog):
    with caplog.at_level(logging.INFO):
        toy.train(tmp_path, toy.system(steps=(3, 0)))
    assert capfd.readouterr() == ("", "")
    assert "warmup: from step 0 of at most 3" in caplog.text
    assert "warmup: ended at step 3" in caplog.text
