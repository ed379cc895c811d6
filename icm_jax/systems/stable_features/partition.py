"""How TOFU parts images: by what classifiers of other environments say, and by clusters."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from icm_jax.data import Groups, group
from icm_jax.systems.stable_features.channels import Task
from icm_jax.systems.stable_features.clusters import k_means


def outcomes(predicted: np.ndarray, data: Mapping[str, Any], task: Task) -> np.ndarray:
    """The outcome of every view: int `[E - 1, N]`, -1 for images that are not of the source.

    View v of an image of the i-th source environment is by the classifier of environment
    j = i + 1 + v (mod E). Its outcome is 2 (i (E - 1) + v), and 1 more where the classifier does
    not say the given label.

    Args:
      predicted: int32 `[E, N]`, labels by the classifier of each environment.
      data: `given` and `environment`, int `[N]`.
      task: says which environments are the source's.
    """
    count = len(task.source)
    position = np.full(len(data["given"]), -1)
    for index, environment in enumerate(task.source):
        position[data["environment"] == environment] = index
    images = np.arange(len(position))
    made = []
    for view in range(count - 1):
        by = np.asarray(predicted)[(position + 1 + view) % count, images]
        mistaken = (by != data["given"]).astype(int)
        outcome = 2 * (position * (count - 1) + view) + mistaken
        made.append(np.where(position < 0, -1, outcome))
    return np.stack(made)


def by_outcome(predicted: np.ndarray, data: Mapping[str, Any], task: Task) -> dict[str, Groups]:
    """Groups of the images to train on by outcome, and by outcome and given label.

    Returns:
      `outcomes`, in 2 E (E - 1) groups, and `pairs`, where the group is (pair * L + label) * 2,
      and 1 more for mistaken ones, so that right and mistaken images of a label are neighbours.
    """
    outcome = outcomes(predicted, data, task)
    parts = 2 * len(outcome) * len(task.source)
    trained = np.where(data["held_out"][None], -1, outcome).reshape(-1)
    label = np.tile(data["given"], len(outcome))
    pair, mistaken = trained // 2, trained % 2
    within = np.where(trained < 0, -1, (pair * task.classes + label) * 2 + mistaken)
    images = len(data["given"])
    return {
        name: _of_images(group(numbers, groups), images)
        for name, numbers, groups in (
            ("outcomes", trained, parts),
            ("pairs", within, parts * task.classes),
        )
    }


def by_cluster(
    features: np.ndarray,
    index: np.ndarray,
    data: Mapping[str, Any],
    task: Task,
    clusters: int,
    seed: np.ndarray,
) -> dict[str, np.ndarray | Groups]:
    """Clusters of each given label's images of the target task.

    Args:
      features: float32 `[M, F]`, the embedding.
      index: int `[M]`, of which training images.
      data: `given` and `held_out`, `[N]`.
      task: the labels.
      clusters: K, of each label.
      seed: uint32 `[n]`, of the starts.

    Returns:
      `cluster`, int32 `[N]`, label * K + cluster, -1 for images not in `index`, and `clusters`,
      its groups of the images to train on.
    """
    rng = np.random.RandomState(seed)
    number = np.full(len(data["given"]), -1, np.int32)
    given = data["given"][index]
    for label in range(task.classes):
        here = given == label
        number[index[here]] = label * clusters + k_means(features[here], clusters, rng)
    trained = np.where(data["held_out"], -1, number)
    return {"cluster": number, "clusters": group(trained, task.classes * clusters)}


def _of_images(views: Groups, images: int) -> Groups:
    """Groups of views as groups of the images that are viewed."""
    return views._replace(index=views.index % images)
