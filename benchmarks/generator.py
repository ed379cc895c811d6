"""Times a step of a counterfactual generator against the published one in PyTorch, in turns.

  python -m benchmarks.generator
  python -m benchmarks.generator --iterations=20

Prints a table in Markdown: coloured MNIST, batch 16. icm_jax draws and colours its batch within the
step; PyTorch is spared that, as is its reading of files. Without PyTorch icm_jax is timed alone.
"""

import argparse

import jax
from ml_collections import ConfigDict

from benchmarks import contenders, machine, tables, timing
from icm_jax import default_config, experiment
from icm_jax.systems.counterfactual.generation.config import recipe
from icm_jax.training.devices import Devices

_CHUNK = 2  # steps that are timed together
_BATCHES, _BATCH = 8, 16
_PUBLISHED = recipe("colored,published")["steps"]


class _Ours:
    """Steps of a config as a run takes them."""

    def __init__(self, config: ConfigDict):
        (system,) = experiment.build(config)
        step, key = system.phases[0].step, jax.random.key(0)

        def advance(carry, data):
            state, count = carry
            state, _ = step(state, data, jax.random.fold_in(key, count))
            return state, count + 1

        devices = Devices()
        self._carry = devices.put((jax.jit(system.init)(key), jax.numpy.int32(0)))
        self._data = devices.put(system.given)
        self._advance = devices.compile(advance, self._carry, self._data)

    def run(self, iterations: int) -> None:
        """Takes so many steps and waits for the last."""
        while iterations:
            self._carry, taken = self._advance(self._carry, self._data, iterations)
            iterations -= taken
        jax.block_until_ready(self._carry)


class _Torch:
    """The published step on random images made beforehand."""

    def __init__(self):
        import torch

        from benchmarks import torch_generator

        device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(0)
        self._loop = torch_generator.Loop(torch_generator.Losses(), device)
        labels = torch.randint(0, 10, (2, _BATCH), device=device)
        self._batches = [
            torch_generator.Batch(
                torch.rand(_BATCH, 3, 32, 32, device=device) * 2 - 1,
                labels[0],
                torch.randn(_BATCH, torch_generator.LATENT, device=device),
                labels[1],
            )
            for _ in range(_BATCHES)
        ]

    def run(self, iterations: int) -> None:
        """Takes so many steps; each waits for its loss, as loops that print it do."""
        for number in range(iterations):
            self._loop.step(self._batches[number % _BATCHES])


def main(argv: list[str] | None = None) -> None:
    """Measures what the flags say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generator", description=__doc__)
    parser.add_argument("--iterations", type=int, default=100, help="timed, of each; 100")
    parser.add_argument("--seconds", type=float, default=180, help="for each, at most; 180")
    flags = parser.parse_args(argv)
    ours, as_published = _config("colored"), _config("colored,published")
    rivals = {"icm_jax": _Ours(ours), "icm_jax, as published": _Ours(as_published)}
    steps = {"icm_jax": ours.steps}
    if contenders.has_torch():
        rivals["PyTorch, as published"] = _Torch()
    print(machine.describe(), flush=True)
    found = timing.in_turns(rivals, flags.iterations, flags.seconds, _CHUNK)
    print(tables.markdown(*_table(found, steps)))
    if not contenders.has_torch():
        print("PyTorch is not installed: pip install -r requirements-benchmark.txt")


def _config(choice: str) -> ConfigDict:
    config = default_config("counterfactual")
    config.update(recipe(choice))
    return config


def _table(found: dict[str, dict], steps: dict[str, int]) -> tuple[list[str], list[list[str]]]:
    """Head and rows: the median of a step, and what all steps of a training take at that."""
    rows = []
    for name, result in found.items():
        seconds = timing.summary(result["times"])
        low, high = (f"{1000 * quartile:.0f}" for quartile in seconds["quartiles"])
        count = steps.get(name, _PUBLISHED)
        minutes = count * seconds["median"] / 60
        rows.append(
            [
                name,
                f"{1000 * seconds['median']:.0f}",
                f"{low} to {high}",
                f"{count}",
                f"{minutes:.0f}",
            ]
        )
    head = ["", "a step (ms)", "quartiles (ms)", "steps of a training", "training (minutes)"]
    return head, rows


if __name__ == "__main__":
    main()
