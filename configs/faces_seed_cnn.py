"""The reproduction's CNN experts on faces, as they were: two groups of UTKFace, 10,000 steps.

    python launch.py --config=configs/faces_seed_cnn.py --config.data.dir=utkface.zip

One value of UTKFace's third attribute is canonical (2), two are transformed (0 and 1), so that
there are no pairs and no truth. Two experts on 28x28 in colour with ReLU inside and as output pay
a squared error, and nothing of what this package adds helps them: no restarts, constant learning
rates, all images in the gradient of the batch statistics. Its classifier of faces, 50 epochs in the
reproduction, is trained first and says what share of the restored faces it calls canonical.
"""

from ml_collections import ConfigDict

from icm_jax import default_config


def get_config() -> ConfigDict:
    """The defaults of `icm_jax.systems.icm.config`, changed to the reproduction's."""
    result = default_config("icm")
    result.data.update({"source": "faces", "name": "utkface", "size": 28})
    result.data.groups = {"attribute": "race", "canonical": "2", "transformed": ("0", "1")}
    result.experts.update({"count": 2, "activation": "relu", "output": "relu"})
    result.initialization.update({"steps": 500})
    result.competition.update({"steps": 10_000, "loss": "squared", "decay": 0.0, "reference": 0})
    result.competition.restart.every = 0
    result.classifier.update(
        {"learns": "canonical", "kind": "faces", "steps": 1500, "learning_rate": 1e-3}
    )
    result.evaluation.update({"every": 250, "images": 200})
    result.checkpoint.every = 500
    return result
