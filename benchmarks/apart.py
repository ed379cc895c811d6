"""A contender in a process of its own, so that neither memory nor threads of others touch it."""

import multiprocessing
import traceback
from multiprocessing.connection import Connection

from benchmarks import contenders
from icm_jax import training


class Apart:
    """The contender called `name`, elsewhere; itself a `contenders.Contender`."""

    def __init__(self, name: str, options: contenders.Options):
        # Not forked: JAX and PyTorch start threads.
        context = multiprocessing.get_context("spawn")
        self._name = name
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, name, options), daemon=True)
        self._process.start()
        there.close()

    def run(self, iterations: int) -> None:
        """Takes so many iterations and waits for the last.

        Raises:
          RuntimeError: it failed there.
        """
        self._ask("run", iterations)

    def distinct_winners(self) -> float:
        """Experts that won something in the last iteration."""
        return self._ask("distinct_winners")

    def close(self) -> None:
        """Ends the process."""
        self._here.close()
        self._process.join()

    def _ask(self, method: str, *arguments: int) -> float | None:
        self._here.send((method, arguments))
        try:
            failed, answer = self._here.recv()
        except EOFError:
            failed, answer = True, "its process died (out of memory?)"
        if failed:
            raise RuntimeError(f"{self._name}: {answer}")
        return answer


def _serve(there: Connection, name: str, options: contenders.Options) -> None:
    training.keep_host_memory()  # as launch.py does; PyTorch gains by it as well
    try:
        contender = contenders.make(name, options)
        while True:
            method, arguments = there.recv()
            there.send((False, getattr(contender, method)(*arguments)))
    except EOFError:
        pass  # closed
    except Exception:
        there.send((True, traceback.format_exc()))
