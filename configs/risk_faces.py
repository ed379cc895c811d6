"""A detector of faces that learns from those more often which it has hardly seen.

    python launch.py --config=configs/risk_faces.py
    python launch.py --config=configs/risk_faces.py:density,erm
    python launch.py --config=configs/risk_faces.py:conflict,oracle --config.data.source=faces \\
      --config.data.name=utkface --config.data.dir=FOLDER --config.data.non_faces=cifar.npz

The argument is a world (conflict, density, noise, plain), a method (erm, histogram, density,
epistemic, both, oracle, group_dro,
histogram_only, aleatoric, clean), or first the one and then the other; conflict and
density by default. In the world 'conflict' 2 % of the faces are inverted and half of what is no
face. A network that sees all faces alike hardly learns them; 'density' draws rare faces more
often, 'oracle' is told which they are.

Without further fields the faces are the 400 bundled ones and the others crops of bundled
pictures; larger sets are read from a folder.
"""

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.systems.risk.detection.config import world_and_method


def get_config(choice: str = "conflict,density") -> ConfigDict:
    """The defaults of `icm_jax.systems.risk.detection.config` with a world and a method."""
    result = default_config("risk_faces")
    result.update(world_and_method(choice))
    return result
