"""What a finished generator on ImageNet is used for from the command line."""

from pathlib import Path

import jax
import numpy as np

from icm_jax.systems.counterfactual import outputs
from icm_jax.systems.counterfactual.imagenet.generation.use import check_truncation, load
from icm_jax.systems.counterfactual.imagenet.mechanisms import draw_noise
from icm_jax.systems.counterfactual.networks.mechanisms import Each
from icm_jax.systems.counterfactual.pixels import to_pixels
from icm_jax.systems.kind import Use
from icm_jax.training import finished, output_folder

_COUNT = 100  # images, where none is said


def _generate(
    workdir: Path,
    source: None,
    output: Path,
    labels: str = "any,any,any",
    count: int = _COUNT,
    seed: int = 0,
    truncation: float | None = None,
) -> str:
    """Writes `counterfactuals.npz`, a sheet, and the ways of each mechanism to another class."""
    del source
    generator = load(workdir)
    chosen = outputs.parse_labels(labels, generator.classes)
    outputs.check_count(count)
    outputs.check_seed(seed)
    if truncation is not None:
        check_truncation(truncation, "--truncation")
    folder = output_folder(output)
    drawn = generator.draw(count, seed, chosen, truncation)

    def write_ways() -> None:
        # A row a mechanism, which alone goes from the first image's label to another, the next
        # where there is one image only.
        shapes = drawn["shape"]
        start = int(shapes[0])
        other = next((int(label) for label in shapes if label != start), start + 1)
        ways = [
            generator.interpolate(
                name, start, other % generator.classes, seed=seed, truncation=truncation
            )
            for name in Each._fields
        ]
        sheet = np.concatenate([np.concatenate(list(way), axis=1) for way in ways])
        outputs.save_png(sheet, folder / "interpolations.png")

    return outputs.write_drawn(drawn, folder, write_ways)


def _stylize(workdir: Path, source: Path, output: Path, seed: int = 0) -> str:
    """Writes an image in foreground textures of ten classes that the seed draws, and a sheet."""
    generator, config = load(workdir), finished.read(workdir).config
    outputs.check_seed(seed)
    count = min(generator.classes, outputs.COLUMNS)
    noise_key, label_key = jax.random.split(jax.random.key(seed))
    labels = np.sort(np.asarray(jax.random.permutation(label_key, generator.classes))[:count])
    noise = draw_noise(noise_key, count, generator.networks.latent, generator.truncation)
    # One at a time: ten are more than a GPU's memory takes of 256 pixels.
    textures = [
        generator.generate(noise[i : i + 1], *[labels[i : i + 1]] * 3)["foreground"][0]
        for i in range(count)
    ]
    pixels = np.stack([np.asarray(to_pixels(texture)) for texture in textures])
    return outputs.write_stylized(source, pixels, labels, output, config.weights.vgg16)


USES = {
    "generate": Use(_generate, options=("labels", "count", "seed", "truncation")),
    "stylize": Use(_stylize, takes_input=True, options=("seed",)),
}
