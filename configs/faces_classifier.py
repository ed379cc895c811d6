"""The reproduction's classifier of faces alone: one group of UTKFace against two others.

    python launch.py --config=configs/faces_classifier.py --config.data.dir=utkface.zip

It is the judge that the other face configs train for themselves: 428,131 parameters, binary
cross-entropy, a batch half canonical and half transformed. What it is right about among held-out
faces, who are always the same, is all that the fooling of it can be compared with.
"""

from ml_collections import ConfigDict

from configs import faces_seed_cnn


def get_config() -> ConfigDict:
    """The config of the reproduction's experts, of which the classifier alone is trained."""
    result = faces_seed_cnn.get_config()
    result.system = "classification"
    result.evaluation.every = 100
    return result
