"""TOFU's transfer: what is unstable in even digits is left out of account in odd ones.

    python launch.py --config=configs/tofu_mnist.py
    python launch.py --config=configs/tofu_mnist.py:erm
    python launch.py --config=configs/tofu_mnist.py --config.replicas=3

The source task, digits 0, 2, 4, 6, 8 in five channels, comes in two environments, in which 0.1
and 0.2 of the images lie outside the channel of their given label. Of the target task, digits
1, 3, 5, 7, 9, there is one, with 0.1; in its test images the channel is right for 0.1 alone. A
quarter of all labels is wrong, so that 75 % is the most on given labels (`test_given`).

The argument is a method (tofu, erm, balanced, group_dro, irm, oracle), a network, or both; tofu and
mlp by default, 2 minutes of one core. The published code's network is cnn: with it the clusters of
two labels went wrong (docs/stable_features.md). IRM is given the environments of both tasks, all
others the target alone. Bao, Chang and Barzilay 2022, Learning Stable Classifiers by Transferring
Unstable Features.
"""

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.systems.stable_features.config import method_and_network


def get_config(choice: str = "tofu") -> ConfigDict:
    """The defaults of stable features on the transfer task, with TOFU's decay."""
    result = default_config("stable_features")
    result.method, result.network = "tofu", "mlp"
    result.update(method_and_network(choice))
    result.data.task = "transfer"
    result.shift = 0
    # With 400 the clusters of one label parted its digit from others, in one seed of three.
    result.tofu.embedding.steps = 2000
    result.optimizer.weight_decay = 0.01
    return result
