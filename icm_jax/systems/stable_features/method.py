"""What the phases of every method are made of."""

from typing import NamedTuple

from ml_collections import ConfigDict

from icm_jax.systems.stable_features.channels import Task
from icm_jax.systems.stable_features.model import ApplyBatched, Model


class Parts(NamedTuple):
    """What a method is given.

    Attributes:
      config: a validated config.
      task: to learn.
      model: the network.
      apply_batched: it, for any number of images.
      axis_name: device axis that the steps reduce over, or None.
    """

    config: ConfigDict
    task: Task
    model: Model
    apply_batched: ApplyBatched
    axis_name: str | None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Of an image: `(H, W, 1)`."""
        return self.task.train.images.shape[1:]
