"""Two processes of one program that train together, and what may happen to one."""

import contextlib
import os
import random
import resource
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def free_address():
    """An address to listen at, of a port that the system gives nobody who does not ask for it.

    One that it gives (port 0) may be given again before it is used. Every process draws its own.
    """
    ports = random.SystemRandom().sample(range(20000, 30000), 100)
    for port in ports:
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return f"127.0.0.1:{port}"
    raise OSError(f"none of the ports {ports} is free")


def start(*arguments, path=()):
    """Starts Python with arguments in the repository, with `path` to import from."""
    path = ":".join(map(str, (ROOT, *path)))
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(processes):
    """Waits for processes; returns their exit statuses, and what each wrote to stdout, stderr."""
    try:
        said = [process.communicate(timeout=600) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], said


@contextlib.contextmanager
def full_disk(size):
    """Within it no file of this process grows beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
