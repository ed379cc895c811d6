"""What a finished generator is used for from the command line."""

from pathlib import Path

import jax
import numpy as np
from PIL import Image

from icm_jax import paths
from icm_jax.systems.counterfactual import outputs
from icm_jax.systems.counterfactual.generation.use import Generator, load, to_pixels
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.systems.kind import Use
from icm_jax.training import finished, output_folder

_COUNT = 10_000  # images, where none is said
_FRAMES = 48  # of a walk


def _generate(
    workdir: Path,
    source: None,
    output: Path,
    labels: str = "any,any,any",
    count: int = _COUNT,
    seed: int = 0,
) -> str:
    """Writes `counterfactuals.npz`, a sheet of the first hundred, and a walk of each mechanism."""
    del source
    generator = load(workdir)
    chosen = outputs.parse_labels(labels, generator.classes, generator.names)
    outputs.check_count(count)
    outputs.check_seed(seed)
    folder = output_folder(output)

    def write_walks() -> None:
        for mechanism in Each._fields:
            _save_walks(generator, mechanism, folder / f"walk_{mechanism}.gif", seed)

    return outputs.write_drawn(generator.draw(count, seed, chosen), folder, write_walks)


def _export(workdir: Path, source: None, output: Path) -> str:
    del source
    load(workdir).export(output)
    return str(output)


def _stylize(workdir: Path, source: Path, output: Path, seed: int = 0) -> str:
    """Writes an image in the foreground texture of each class, at most ten, and a sheet of them."""
    generator, config = load(workdir), finished.read(workdir).config
    outputs.check_seed(seed)
    labels = np.arange(min(generator.classes, outputs.COLUMNS), dtype=np.int32)
    noise = jax.random.normal(jax.random.key(seed), (len(labels), generator.latent))
    made = generator.generate(noise, labels, labels, labels, seed)
    textures = np.asarray(to_pixels(made["foreground"]))
    return outputs.write_stylized(source, textures, labels, output, config.losses.vgg16)


def _save_walks(generator: Generator, mechanism: str, path: Path, seed: int) -> None:
    """Writes the walks of up to ten classes, side by side, as an animation."""
    classes = range(min(generator.classes, outputs.COLUMNS))
    walks = np.concatenate(
        [generator.walk(mechanism, label, _FRAMES, seed) for label in classes], axis=2
    )
    first, *others = (Image.fromarray(frame) for frame in walks)
    with paths.replaced(path) as unfinished:
        first.save(unfinished, "GIF", save_all=True, append_images=others, duration=80, loop=0)


USES = {
    "generate": Use(_generate, options=("labels", "count", "seed")),
    "export": Use(_export),
    "stylize": Use(_stylize, takes_input=True, options=("seed",)),
}
