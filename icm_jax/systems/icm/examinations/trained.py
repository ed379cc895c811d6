"""What examinations train besides a run, once, in its folder `examined`; and how banks do."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import data, mechanisms, paths, streams, training
from icm_jax.config import digest, to_dict
from icm_jax.data import Splits
from icm_jax.schema import Field, share
from icm_jax.streams import SeedStream
from icm_jax.system import Evaluation, PyTree, System
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.banks import Bank
from icm_jax.systems.icm.build import build_competition
from icm_jax.systems.icm.diagnosis import UNKNOWN
from icm_jax.systems.icm.examinations.cases import ask_cases, single_cases
from icm_jax.systems.icm.model import make_model
from icm_jax.systems.icm.restore import Restorer
from icm_jax.systems.icm.specialization import identified, win_matrix
from icm_jax.training import finished
from icm_jax.training.workdir import read_json

_CALIBRATION = 1000  # canonical images that a lead is measured on
# What a lead is measured for; a setting of examinations.
LEFT_SHARE = Field(
    0.95, share(), "of canonical training images that are to be left, when calibrated"
)


def train_part(workdir: str | os.PathLike, name: str, system: System, config: ConfigDict) -> PyTree:
    """The final state of a system, trained in a folder of a run where it is not yet.

    Args:
      workdir: of the run.
      name: of the folder in its `examined`, but for the digest of `config`.
      system: without its auxiliary ones and its evaluation, which the examination stands for.
      config: of the system.
    """
    folder = paths.local(workdir, "workdir") / "examined" / f"{name}-{digest(config)}"
    system = system._replace(
        auxiliary={}, evaluate=lambda *state: Evaluation({}, {}, {}), figures=lambda *found: {}
    )
    plain = to_dict(config)
    training.train(
        [training.Seeded(system, config.seed, plain)],
        folder,
        config=plain,
        log_every=config.log.every,
        evaluate_every=max(phase.steps for phase in system.phases) or 1,
        checkpoint_every=config.checkpoint.every,
        keep=config.checkpoint.keep,
    )
    run = finished.Finished(folder, config, read_json(folder / "summary.json"))
    return jax.device_put(run.saved().state(system.init))


def train_bank(
    workdir: str | os.PathLike,
    name: str,
    config: ConfigDict,
    splits: Splits,
    begin: Callable[[System], System] = lambda system: system,
) -> Bank:
    """Experts that compete as a config says, trained as in `train_part`.

    `begin` makes the system one that begins with other experts, see `Bank.begin`.
    """
    (system,) = build_competition(config, splits, [config.seed])
    state = train_part(workdir, name, begin(system), config)
    return Bank(config, state._replace(steps=jnp.int32(0)), padded_shape(config, splits))


def oracle_config(config: ConfigDict, steps: int) -> ConfigDict:
    """The config of experts like those of a run, each taught one mechanism, for so many steps."""
    config = config.copy_and_resolve_references()
    config.system, config.competition.steps = "oracle", steps
    config.experts.count = len(config.mechanisms)
    return config


def padded_shape(config: ConfigDict, splits: Splits) -> tuple[int, int, int]:
    """`(H, W, C)` of what the experts of a config see of its data."""
    side = config.data.pad
    height, width, channels = splits.train.images.shape[1:]
    return (side, side, channels) if side else (height, width, channels)


def restorer_of(bank: Bank) -> Restorer:
    """What restores with a bank; what its experts undo nobody has asked yet."""
    names = (UNKNOWN,) * bank.config.experts.count
    model = make_model(bank.config)
    return restore.make_restorer(model, bank.state, names, bank.shape, bank.shape)


class Measured(NamedTuple):
    """How a bank does on images of M mechanisms.

    Attributes:
      accuracy: float64 `[M]`, how often a judge tells what the winners made.
      wins: float64 `[M, E]`, the share of each mechanism's images that each expert won.
    """

    accuracy: np.ndarray
    wins: np.ndarray

    def said(self) -> dict[str, Any]:
        """As JSON: `accuracy`, one a mechanism, and how many are `identified`."""
        return {"accuracy": self.accuracy.tolist(), "identified": int(identified(self.wins).sum())}


class Asked(NamedTuple):
    """The images that banks are measured on, and who judges what becomes of them.

    Attributes:
      classify: float32 images `[B, H, W, C]` -> classes `[B]`.
      images: float32 `[N, H, W, C]` in [0, 1].
      labels: int32 `[N]`.
      count: images under each mechanism.
      key: of what is random in the mechanisms.
    """

    classify: Callable[[jax.Array], jax.Array]
    images: np.ndarray
    labels: np.ndarray
    count: int
    key: jax.Array


def known_canonical(config: ConfigDict, splits: Splits) -> np.ndarray:
    """The images of the train split that a run knew as canonical, uint8 `[N, H, W, C]`, padded."""
    pool = data.halve(splits.train, config.seed, config.data.labels)[0]
    count = min(config.data.canonical or int(pool.count), int(pool.count))
    images = splits.train.images[np.asarray(pool.index)[:count]]
    return np.asarray(data.pad(images, config.data.pad))


def calibrate(restorer: Restorer, config: ConfigDict, splits: Splits, left: float) -> Restorer:
    """A run's model with the lead at which a share `left` of its canonical images is left.

    Args:
      restorer: of the run.
      config: likewise.
      splits: its data.
      left: see `LEFT_SHARE`.
    """
    return restorer.calibrate(known_canonical(config, splits)[:_CALIBRATION], left)


def ask_judge(
    workdir: str | os.PathLike, config: ConfigDict, restorer: Restorer, splits: Splits, count: int
) -> Asked:
    """The test images of a run, and its judge; `count` of them under each mechanism."""
    test = data.restrict(splits, config.data.labels).test
    key = streams.of_seed(config.seed, SeedStream.ROBUSTNESS)
    images = restorer.fitted(test.images, "data")
    return Asked(restore.load_judge(workdir), images, test.labels, count, key)


def measure_bank(restorer: Restorer, specs: Sequence[mechanisms.Spec], asked: Asked) -> Measured:
    """How the winners of a bank restore what each of some mechanisms made."""

    def ask(changed, case, which):
        restored = restorer.compete(changed)
        return asked.classify(restored.images) == asked.labels[which], restored.expert

    cases = single_cases({"known": specs}, min(asked.count, len(asked.images)))
    bank = [mechanisms.build(spec) for spec in specs]
    answers = ask_cases(ask, bank, cases, asked.images, asked.key, "restore")
    right, expert = (np.stack(parts) for parts in zip(*answers, strict=True))  # [M, count]
    mechanism = np.repeat(np.arange(len(specs)), right.shape[1])
    # Winners keep the numbers that they had before others were dropped.
    wins = win_matrix(expert.ravel(), mechanism, len(specs), int(max(restorer.numbers)) + 1)
    return Measured(right.mean(axis=1), wins)


def mean_accuracy(found: Mapping[str, Any]) -> float:
    """Of what `Measured.said` returns the mean accuracy over the mechanisms."""
    return float(np.mean(found["accuracy"]))


def made_good(bare: float, better: float, clean: float) -> float:
    """The fraction of what a bare classifier or detector loses that is made good; nan of no loss.

    Args:
      bare: its accuracy on changed images.
      better: accuracy of another way on these.
      clean: accuracy of the bare classifier on clean images.
    """
    return (better - bare) / (clean - bare) if clean > bare else float("nan")
