"""The images that an examination shows to experts: those of the run, or others."""

from pathlib import PurePosixPath

import numpy as np
from ml_collections import ConfigDict

from icm_jax import data
from icm_jax.data import Splits, own
from icm_jax.schema import Field, one_of, switch
from icm_jax.systems.icm import restore
from icm_jax.systems.icm.config import SCHEMAS

OWN = Field(True, switch(), "test images of the run; False: images of both splits of `data`")
DATA = SCHEMAS["icm"].fields["data"]
GROUP_BY = Field(
    "",
    one_of(("", "alphabet")),
    "alphabet: groups are the folders that the folders of classes lie in; '': no groups",
)


def load_own_or_other(
    config: ConfigDict, splits: Splits, settings: ConfigDict, restorer: restore.Restorer
) -> np.ndarray:
    """All test images of a run, or some others that fit it: float32 `[N, H, W, C]` in [0, 1].

    Args:
      config: of the run.
      splits: its data.
      settings: with `own`, `data` and `images`, how many others.
      restorer: of the run.

    Raises:
      ValueError: as `load_images` does.
    """
    if settings.own:
        test = data.restrict(splits, config.data.labels).test
        return restorer.fitted(test.images, "data")
    return load_images(settings.data, settings.images, restorer)[0]


def load_images(
    source: ConfigDict, count: int, restorer: restore.Restorer, group_by: str = ""
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images of other data that fit a run, and their groups.

    Args:
      source: the fields `data` of a config.
      count: of both splits together, evenly of all classes and groups; 0: all.
      restorer: of the run; where its images are grey, coloured ones become so.
      group_by: as `GROUP_BY`.

    Returns:
      Images float32 `[N, H, W, C]` in [0, 1], and the group `[N]` of each, if any.

    Raises:
      ValueError: they do not come to the size of the run's, or do not lie in groups.
      ValueError: as `data.load` does.
    """
    splits = data.restrict(data.load(source), source.labels)
    # Experts saw neither split, and the tenth of a folder would be few.
    labels = np.concatenate([split.labels for split in splits])
    images = np.concatenate([split.images for split in splits])
    groups = None
    if group_by == "alphabet":
        classes = [text for split in splits for text in split.attributes.get("class", ())]
        groups = np.array([PurePosixPath(text).parent.name for text in classes])
        if len(groups) < len(labels) or "" in groups:
            raise ValueError(
                "group_by: 'alphabet' needs data.source 'folder' and classes that lie in folders, "
                "such as Greek/character03"
            )
    chosen = data.evenly(labels, count, groups)
    images = np.asarray(data.pad(images[chosen], source.pad))
    channels = restorer.shape[-1]
    images = own.as_grey(images) if channels == 1 else own.with_channels(images, channels)
    images = restorer.fitted(images, "data.size and data.pad")
    return images, None if groups is None else groups[chosen]
