"""Few examples: experts that compete for a handful of transformed images, beside taught ones.

The transformed images are made once, so that what is random in a mechanism is fixed in them, and
each comes from an original of its own. An oracle is given as many true pairs, in which
what is random is drawn anew at each use. Then an eleventh mechanism, of which there are few images,
is learned by one new expert beside finished ones.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from icm_jax import data, mechanisms, streams
from icm_jax.chunks import in_chunks
from icm_jax.config import from_workdir
from icm_jax.data import Dataset, Splits, halve, to_bytes, to_float
from icm_jax.report import lines
from icm_jax.schema import Field, Schema, at_least, check_settings, one_of, tuple_of
from icm_jax.streams import SeedStream
from icm_jax.systems.icm import banks, restore
from icm_jax.systems.icm.banks import Bank
from icm_jax.systems.icm.build import build_oracle
from icm_jax.systems.icm.examinations.cases import check_mechanisms
from icm_jax.systems.icm.examinations.trained import (
    Asked,
    ask_judge,
    measure_bank,
    oracle_config,
    padded_shape,
    restorer_of,
    train_bank,
    train_part,
)
from icm_jax.systems.icm.state import State
from icm_jax.training.workdir import plain

_COUNTS = tuple_of("whole numbers above 0", lambda value: type(value) is int and value > 0)
SETTINGS = Schema(
    {
        "kind": Field("few", one_of(("few",)), "the examination"),
        "images": Field(200, at_least(1), "test images under each mechanism"),
        "counts": Field((30, 100, 300, 3000), _COUNTS, "transformed images of each mechanism"),
        "steps": Field(1000, at_least(0), "steps of the competition, and of the oracle"),
        "new": Field((10, 30, 100), _COUNTS, "images of a mechanism that is new to a run"),
        "new_steps": Field(300, at_least(0), "steps in which one new expert learns it"),
        "mechanism": Field(
            ({"name": "exposure", "stops": -2.5},),
            ("a tuple of one name, or dict of a name and settings", lambda v: len(v) == 1),
            "the one that is new",
        ),
    },
    check_mechanisms("mechanism"),
)
_TAUGHT = ("experts", "oracle")  # who learns of few images of each mechanism
_ATTRIBUTE, _CANONICAL = "mechanism", "canonical"


def examine(workdir: str | os.PathLike, settings: ConfigDict) -> dict[str, Any]:
    """Trains experts on few transformed images of a run's data, and measures what they restore.

    Args:
      workdir: of the run, one seed; what is trained lies in its folder `examined`.
      settings: see `SETTINGS`.

    Returns:
      JSON values: `seed`, `mechanisms`; `few`, one a count: `count` and `experts` and `oracle`,
      each `accuracy` by mechanism and how many are `identified`; `new`, one a count: `count`, the
      `accuracy` of the new mechanism's images by the `expert`, by the `oracle` and by `nobody`, the
      finished experts, and of the known ones' images before and after, `kept`.

    Raises:
      ValueError: a setting is not allowed, or there are fewer originals than a count.
      ValueError, WorkdirError, CheckpointError: as `icm_jax.restore.load` and `data.load` do.
    """
    check_settings(settings, SETTINGS)
    config, whole = from_workdir(workdir), restore.load(workdir)
    splits = data.load(config.data)
    asked = ask_judge(workdir, config, whole, splits, settings.images)
    few = []
    for count in settings.counts:
        of = config.copy_and_resolve_references()
        of.competition.steps = settings.steps
        of, images = with_few(of, splits, count)
        trained = train_bank(workdir, f"few_{count}", of, images)
        taught = _teach(workdir, config, splits, count, settings.steps)
        row = {"experts": restorer_of(trained), "oracle": taught}
        said = {name: _measure(r, config.mechanisms, asked, name) for name, r in row.items()}
        few.append({"count": count, **said})
    new = [_learn_new(workdir, settings, splits, asked, count) for count in settings.new]
    names = [mechanisms.label(spec) for spec in config.mechanisms]
    return plain({"seed": config.seed, "mechanisms": names, "few": few, "new": new})


def with_few(
    config: ConfigDict, splits: Splits, count: int, field: str = "counts"
) -> tuple[ConfigDict, Splits]:
    """A config of groups, and its data: canonical images and `count` of each mechanism.

    Canonical images are those of the config's seed; transformed ones are made of the other half's,
    each of its own. They stay what they are, of 256 grey levels. All are padded already, and a
    batch is at most of all transformed ones.

    Args:
      config: of designed mechanisms.
      splits: its data.
      count: transformed images of each mechanism.
      field: of the settings, that says so.

    Raises:
      ValueError: there are fewer originals.
    """
    names = [mechanisms.label(spec) for spec in config.mechanisms]
    splits = Splits(
        *(s._replace(images=np.asarray(data.pad(s.images, config.data.pad))) for s in splits)
    )
    canonical, rest = (
        np.asarray(pool.index)[: int(pool.count)]
        for pool in halve(splits.train, config.seed, config.data.labels)
    )
    needed = count * len(names)
    if needed > len(rest):
        raise ValueError(
            f"{field}: {count} is not allowed; there are {len(rest)} originals for {len(names)} "
            "mechanisms"
        )
    of = np.arange(needed) % len(names)
    key = streams.of_seed(config.seed, SeedStream.DIAGNOSIS)
    train = _transform(config, splits.train.take(rest[:needed]), of, key)
    # The loop wants test images of every group, and none is looked at.
    shown = data.restrict(splits, config.data.labels).test
    shown = shown.take(np.arange(2 * len(names)) % len(shown.labels))
    test = _transform(config, shown, np.arange(2 * len(names)) % len(names), key)
    whole = _with(splits.train.take(canonical), [_CANONICAL] * len(canonical))
    some = _with(shown.take(np.arange(1)), [_CANONICAL])
    config = config.copy_and_resolve_references()
    config.data.pad, config.batch_size = 0, min(config.batch_size, needed)
    config.data.groups.update(
        {"attribute": _ATTRIBUTE, "canonical": _CANONICAL, "transformed": tuple(names)}
    )
    config.evaluation.images = len(names)
    if config.discriminator.losers and config.batch_size % config.discriminator.losers:
        config.discriminator.losers = 0  # all of so few
    return config, Splits(_join(whole, train), _join(some, test))


def _transform(config: ConfigDict, originals: Dataset, of: np.ndarray, key: jax.Array) -> Dataset:
    """Originals by the mechanisms numbered `of`, int `[N]`, with these as their attribute."""
    bank = [mechanisms.build(spec) for spec in config.mechanisms]
    apply = jax.jit(functools.partial(mechanisms.apply, bank))

    def call(index):
        images = to_float(originals.images[index])
        return apply(jax.random.fold_in(key, index[0]), images, of[index])

    images = to_bytes(in_chunks(call, len(of), name="few"))
    names = np.array([mechanisms.label(spec) for spec in config.mechanisms])
    return _with(originals._replace(images=images), names[of])


def _with(images: Dataset, values: Sequence[str]) -> Dataset:
    return images._replace(attributes={_ATTRIBUTE: np.array(values)})


def _join(first: Dataset, second: Dataset) -> Dataset:
    values = np.concatenate([of.attributes[_ATTRIBUTE] for of in (first, second)])
    parts = zip(first[:2], second[:2], strict=True)
    return Dataset(*map(np.concatenate, parts), {_ATTRIBUTE: values})


def _teach(
    workdir: str | os.PathLike, config: ConfigDict, splits: Splits, count: int, steps: int
) -> Bank:
    """An expert for each mechanism of a config, taught by `count` true pairs."""
    config = oracle_config(config, steps)
    (system,) = build_oracle(config, splits, [config.seed])
    pool = system.data["transformed"]._replace(count=np.int32(count))
    system = system._replace(data={**system.data, "transformed": pool})
    state = train_part(workdir, f"pairs_{count}", system, config)
    return Bank(config, state, padded_shape(config, splits))


def _measure(
    bank: Any, specs: Sequence[mechanisms.Spec], asked: Asked, name: str
) -> dict[str, Any]:
    """What winners restore, or of an oracle what the mechanism's own expert does."""
    if name != "oracle":
        return measure_bank(bank, specs, asked).said()
    alone = [
        measure_bank(restorer_of(_only(bank, i)), [spec], asked).accuracy[0]
        for i, spec in enumerate(specs)
    ]
    return {"accuracy": [float(accuracy) for accuracy in alone]}


def _only(bank: Bank, number: int) -> Bank:
    """One expert of a bank."""
    config = bank.config.copy_and_resolve_references()
    config.experts.count = 1
    state: State = bank.state
    experts = jax.tree.map(lambda t: t[number : number + 1], state.experts)
    return bank._replace(
        config=config, state=state._replace(experts=experts, share=state.share[:1])
    )


def _learn_new(
    workdir: str | os.PathLike, settings: ConfigDict, splits: Splits, asked: Asked, count: int
) -> dict[str, Any]:
    """What becomes of a new mechanism of which there are `count` images."""
    bank, spec = banks.load(workdir), settings.mechanism[0]
    known = bank.config.mechanisms
    config = bank.config.copy_and_resolve_references()
    config.mechanisms, config.mixture = (spec,), ()
    config.competition.steps = settings.new_steps
    few, images = with_few(config, splits, count, "new")
    taught = _teach(workdir, config, splits, count, settings.new_steps)
    grown = banks.add_experts(bank._replace(config=few), 1, frozen=True)
    trained = train_bank(workdir, f"new_{count}", grown.config, images, grown.begin)
    learned = restorer_of(trained)
    before = restorer_of(bank)
    return {
        "count": count,
        "expert": measure_bank(learned, [spec], asked).accuracy[0],
        "oracle": _measure(taught, [spec], asked, "oracle")["accuracy"][0],
        "nobody": measure_bank(before, [spec], asked).accuracy[0],
        "kept": [measure_bank(r, known, asked).accuracy.mean() for r in (before, learned)],
    }


def numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The headline: mean accuracies in [0, 1] of each count."""
    result = {}
    for row in found["few"]:
        for name in _TAUGHT:
            result[f"accuracy {row['count']} each, {name}"] = np.mean(row[name]["accuracy"])
    for row in found["new"]:
        for name in ("expert", "oracle", "nobody"):
            result[f"accuracy {row['count']} of a new one, {name}"] = row[name]
    return {name: float(value) for name, value in result.items()}


def tables(
    found: Sequence[Mapping[str, Any]],
) -> dict[str, tuple[list[str], list[list[str | float]]]]:
    """Means over the seeds: a row a count."""

    def mean(of):
        return float(np.mean([of(run) for run in found]))

    few = [
        [
            str(row["count"]),
            *(mean(lambda run, i=i, n=n: np.mean(run["few"][i][n]["accuracy"])) for n in _TAUGHT),
            mean(lambda run, i=i: run["few"][i]["experts"]["identified"]),
        ]
        for i, row in enumerate(found[0]["few"])
    ]
    new = [
        [
            str(row["count"]),
            *(mean(lambda run, i=i, n=n: run["new"][i][n]) for n in ("nobody", "expert", "oracle")),
            *(mean(lambda run, i=i, k=k: run["new"][i]["kept"][k]) for k in (0, 1)),
        ]
        for i, row in enumerate(found[0]["new"])
    ]
    said = [f"accuracy {name}" for name in ("nobody", "expert", "oracle", "known before", "after")]
    head = ["images each", "accuracy experts", "accuracy oracle", "identified"]
    return {"few": (head, few), "new": (["images", *said], new)}


def figures(found: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """Draws mean accuracy, over mechanisms and seeds, against how many images there are of each."""
    _, rows = tables(found)["few"]
    counts = [row["count"] for row in found[0]["few"]]
    series = {
        name: (counts, [row[column] for row in rows]) for column, name in enumerate(_TAUGHT, 1)
    }
    title = "Accuracy by transformed images of each mechanism"
    return {"few": lines.curves(series, title, "accuracy", xlabel="images", log_x=True)}
