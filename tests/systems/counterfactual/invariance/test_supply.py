"""Images from a file: they have the label of their shape."""

import jax
import numpy as np
import pytest
from systems.counterfactual.generation import tiny as generators
from systems.counterfactual.invariance import tiny

from icm_jax.systems.counterfactual.invariance import build, supply


def stored(folder, **changes):
    """Eleven images of which each is one grey, 20 times its number, and its label the number."""
    count = 11
    images = (
        np.full((count, 32, 32, 3), 20, np.uint8)
        * np.arange(count, dtype=np.uint8)[:, None, None, None]
    )
    shape = np.arange(count)
    arrays = {"images": images, "shape": shape, "foreground": shape[::-1], **changes}
    np.savez_compressed(folder / "counterfactuals.npz", **arrays)
    return folder / "counterfactuals.npz"


def test_images_of_a_file_have_the_label_of_their_shape(tmp_path):
    made = supply.load(stored(tmp_path), "generator")
    assert (made.classes, made.size) == (11, 32)
    images, labels = made.make(jax.device_put(made.arrays), jax.random.key(0), 50, None)
    assert images.shape == (50, 32, 32, 3) and labels.dtype == np.int32
    # Grey 20 * label, from -1 to 1.
    wanted = np.broadcast_to(np.asarray(labels)[:, None, None, None] * 40 / 255 - 1, images.shape)
    np.testing.assert_allclose(images, wanted, atol=1e-6)
    assert len(set(labels.tolist())) > 5
    # Two devices draw what one does.
    both = jax.vmap(
        lambda _: made.make(jax.device_put(made.arrays), jax.random.key(0), 50, "devices"),
        axis_name="devices",
    )(np.arange(2))
    np.testing.assert_array_equal(both[1].reshape(-1), labels)


def test_a_step_is_shown_originals_and_images_of_the_file(tmp_path):
    file = stored(tmp_path, shape=np.arange(11) % 10)
    config = tiny.classifier("colored,both", file)
    (system,) = build.build_seeds(config, generators.squares(), [0])
    how = system.phases[0].step.__closure__[0].cell_contents
    batch, _ = how.draw((), jax.device_put(system.given), jax.random.key(1))
    one_grey = np.ptp(batch.inputs, axis=(1, 2, 3)) == 0
    np.testing.assert_array_equal(one_grey, [False, False, True, True])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"images": np.zeros((3, 8, 8, 3), np.float32)},
            r"images float32 \[3, 8, 8, 3\]; they mus",
        ),
        (
            {"images": np.zeros((3, 8, 9, 3), np.uint8)},
            r"images uint8 \[3, 8, 9, 3\]; they must be",
        ),
        ({"shape": np.arange(3)}, r"has labels shape int64 \[3\]; they must be whole numbers from"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        supply.load(stored(tmp_path, **changes), "generator")


@pytest.mark.parametrize("gan", [False, True])
def test_what_is_not_there_is_said_to_be_missing(tmp_path, gan):
    with pytest.raises(FileNotFoundError, match="^generator: '.*nowhere' is not there$"):
        supply.load(tmp_path / "nowhere", "generator", gan=gan)


def test_images_of_other_data_are_refused(tmp_path):
    config = tiny.classifier("colored,counterfactual", stored(tmp_path))
    with pytest.raises(ValueError, match=r"^generator: '.*' makes 11 classes, the data have 10"):
        build.build_seeds(config, generators.squares(), [0])
    # Of some classes alone, `--labels=7,any,2`, it is as good as any.
    config.generator = str(stored(tmp_path, shape=np.full(11, 7)))
    build.build_seeds(config, generators.squares(), [0])
    small = {"images": np.zeros((10, 16, 16, 3), np.uint8), "shape": np.arange(10)}
    config.generator = str(stored(tmp_path, **small))
    with pytest.raises(ValueError, match="makes 16 pixels a side, the data have 32; choose one"):
        build.build_seeds(config, generators.squares(), [0])
