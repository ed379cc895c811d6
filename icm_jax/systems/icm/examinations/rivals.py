"""What experts are compared with: networks that are told what the experts had to find out.

They are trained once for a run, by the loop that trains all, in `<workdir>/examined`.
"""

import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from icm_jax import classification, mechanisms
from icm_jax.data import Splits, halve
from icm_jax.systems.icm import evaluation, judge
from icm_jax.systems.icm.build import build_oracle
from icm_jax.systems.icm.examinations.trained import oracle_config, train_part
from icm_jax.systems.icm.model import make_model


def train_augmented(
    workdir: str | os.PathLike, config: ConfigDict, splits: Splits, steps: int
) -> Callable[[jax.Array], jax.Array]:
    """A classifier like the judge of a run, for which the mechanisms are augmentation.

    It learns the labels of the same images, each as it is or by one of the mechanisms, all alike.

    Args:
      workdir: of the run.
      config: of the run.
      splits: its data.
      steps: of training.

    Returns:
      A compiled function of float32 images `[B, H, W, C]` in [0, 1] to classes, int32 `[B]`.
    """
    settings = config.classifier.copy_and_resolve_references()
    settings.steps = steps
    plain = classification.labelled(settings, *splits, config.data.pad)
    bank = (*(mechanisms.build(spec) for spec in config.mechanisms), lambda key, image: image)

    def draw(data, key):
        image_key, index_key, mechanism_key = jax.random.split(key, 3)
        images, labels = plain.draw(data, image_key)
        index = jax.random.randint(index_key, labels.shape, 0, len(bank))
        return mechanisms.apply(bank, mechanism_key, images, index), labels

    classifier = judge.make_classifier(config, plain.classes)
    system = classification.build(settings, plain._replace(draw=draw), classifier)
    system = system._replace(data={"pool": halve(splits.train, config.seed)[0]})
    state = train_part(workdir, f"augmented_{steps}", system, config)
    predict = jax.jit(classifier.predict)
    return lambda images: predict(state, images)


def train_oracle(
    workdir: str | os.PathLike, config: ConfigDict, splits: Splits, steps: int
) -> Callable[[jax.Array, np.ndarray], jax.Array]:
    """Experts like those of a run, each taught one mechanism from true pairs.

    Arguments are as in `train_augmented`.

    Returns:
      A function of float32 images `[B, H, W, C]` in [0, 1] and of the mechanism that is to be
      undone, int `[B]`, -1 for none, to images.

    Raises:
      ValueError: the run has groups in place of mechanisms.
    """
    config = oracle_config(config, steps)
    model, (system,) = make_model(config), build_oracle(config, splits, [config.seed])
    state = train_part(workdir, "oracle", system, config)

    def undo(images: jax.Array, mechanism: np.ndarray) -> jax.Array:
        outputs = evaluation.score(model, state, images).outputs
        made = outputs[np.maximum(mechanism, 0), np.arange(len(images))]
        return jnp.where((mechanism >= 0)[:, None, None, None], made, images)

    return undo
