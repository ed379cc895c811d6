"""A whole run of the best PyTorch loop with the paper's recipe, judged as a run of icm_jax is.

python -m benchmarks.torch_run --config=configs/mnist.py --workdir=FOLDER --iterations=3000

Initialization: 500 iterations, or until every expert's squared error is below 0.002. Then the
competition: Adam at 1e-3, batches of 32, no restarts, constant rates. Images are drawn and
transformed as for icm_jax, whose classifier judges what the experts make of test images, with the
batch statistics of other transformed images. Writes evaluations as icm_jax does.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from absl import flags
from ml_collections import ConfigDict, config_flags

from benchmarks import torch_loops, torch_networks
from icm_jax import data, experiment, training
from icm_jax.config import to_dict
from icm_jax.data import draw
from icm_jax.system import Evaluation
from icm_jax.systems.icm.images import build_images
from icm_jax.systems.icm.model import Model, make_model
from icm_jax.systems.icm.state import Discriminator, Experts, State

_INITIALIZATION, _THRESHOLD, _BATCH = 500, 0.002, 32
_STATISTICS = 256  # images that evaluations take the batch statistics of


class Task(NamedTuple):
    """What a loop learns from and is judged by.

    Attributes:
      draw: number of a batch -> transformed and canonical images, `[B, C, H, W]` both.
      model: icm_jax's, of the same networks.
      evaluate: state -> evaluation.
      some: transformed images `[N, H, W, C]` for the batch statistics of evaluations.
      shape: `(H, W, C)`.
    """

    draw: Callable[[int], tuple[torch.Tensor, torch.Tensor]]
    model: Model
    evaluate: Callable[[State], Evaluation]
    some: jax.Array
    shape: tuple[int, int, int]


def run(config: ConfigDict, workdir: Path, iterations: int) -> None:
    """Trains and evaluates; `<workdir>/metrics.jsonl` gets the evaluations."""
    workdir.mkdir(parents=True)
    config = of_paper(config)
    task = make_task(config, workdir)
    height, _, channels = task.shape
    torch.manual_seed(config.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loop = torch_loops.Best(config.experts.count, channels, height, device, alike=False)
    for number in range(_INITIALIZATION):
        errors = loop.reproduce(task.draw(number)[0].to(device))
        if errors.max() < _THRESHOLD:
            break
    with (workdir / "metrics.jsonl").open("w") as records:
        for step in range(1, iterations + 1):
            loop.step(*(images.to(device) for images in task.draw(_INITIALIZATION + step)))
            if step % config.evaluation.every == 0:
                scalars = dict(task.evaluate(state_of(loop, task.model, task.some)).scalars)
                record = {"phase": "competition", "step": step, "evaluation": scalars}
                records.write(json.dumps(record, default=float) + "\n")
                records.flush()


def of_paper(config: ConfigDict) -> ConfigDict:
    """The config with the networks of `benchmarks.torch_networks` and the paper's batches."""
    config = config.copy_and_resolve_references()
    config.batch_size, config.discriminator.losers = _BATCH, 0
    config.experts.update(
        kind="conv",
        filters=torch_networks.FILTERS,
        layers=torch_networks.LAYERS,
        activation="elu",
        output="sigmoid",
        average=0.0,
        prune=0.0,
    )
    config.discriminator.update(
        stages=torch_networks.STAGES, hidden=torch_networks.HIDDEN, activation="elu"
    )
    return config


def make_task(config: ConfigDict, workdir: Path) -> Task:
    """Trains the judge and makes what draws and evaluates."""
    splits = data.load(config.data)
    images = build_images(config, splits)
    (system,) = experiment.build(config, splits)
    given = jax.device_put(system.given)

    @jax.jit
    def draw_both(number):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), number))
        canonical = draw(keys[0], given["images"], given["canonical"], _BATCH)
        return images.draw(given, keys[1], _BATCH), images.prepare(canonical)

    def draw_tensors(number):
        both = (np.array(batch).transpose(0, 3, 1, 2) for batch in draw_both(number))
        return tuple(torch.from_numpy(np.ascontiguousarray(batch)) for batch in both)

    judged = _train_judge(config, system.auxiliary, workdir)
    return Task(
        draw_tensors,
        make_model(config),
        lambda state: system.evaluate(state, judged, False),
        jax.jit(lambda key: images.draw(given, key, _STATISTICS))(jax.random.key(config.seed)),
        images.test.images.shape[1:],
    )


def _train_judge(config: ConfigDict, systems, workdir: Path) -> dict:
    """The state of the judge, trained as for a run of icm_jax."""
    judges = {}
    for name, system in systems.items():
        judges[name] = training.train(
            [training.Seeded(system, config.seed, to_dict(config))],
            workdir / name,
            config=to_dict(config),
            log_every=config.log.every,
            evaluate_every=config.evaluation.every,
            checkpoint_every=config.checkpoint.every,
            keep=1,
        ).state
    return judges


def state_of(loop: torch_loops.Best, model: Model, images: jax.Array) -> State:
    """What a loop has learned as the state of icm_jax, without those of optimizers.

    Args:
      loop: of E experts.
      model: of the same networks.
      images: float32 `[N, H, W, C]`, which the batch statistics are of.
    """
    each = [torch_networks.to_flax(expert) for expert in loop.experts]
    params = jax.tree.map(lambda *leaves: jnp.stack([*map(jnp.asarray, leaves)]), *each)
    statistics = jax.jit(lambda params: model.scoring_pass(params, images)[1])(params)
    discriminator = jax.tree.map(jnp.asarray, torch_networks.to_flax(loop.discriminator))
    share = jnp.full(len(each), 1 / len(each))
    experts = Experts(params, statistics, ())
    return State(experts, Discriminator(discriminator, ()), share, jnp.int32(0))


def main(argv: list[str]) -> None:
    """Runs what the flags say."""
    own = flags.FlagValues()
    config = config_flags.DEFINE_config_file("config", flag_values=own)
    workdir = flags.DEFINE_string("workdir", None, "A new folder.", own, required=True)
    iterations = flags.DEFINE_integer("iterations", 3000, "Of the competition.", flag_values=own)
    own(argv)
    run(config.value, Path(workdir.value), iterations.value)


if __name__ == "__main__":
    main(sys.argv)
