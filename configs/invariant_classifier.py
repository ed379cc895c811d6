"""A classifier that should ignore colour or texture, which told the class in training.

    python launch.py --config=configs/invariant_classifier.py:colored,original
    python launch.py --config=configs/invariant_classifier.py:colored
    python launch.py --config=configs/invariant_classifier.py:colored --config.generator=runs/...
    python launch.py --config=configs/invariant_classifier.py:wildlife,both \\
      --config.generator=cgn_wildlife_MNIST.npz --config.data.textures=FOLDER

The argument is a data set (colored, double_colored, wildlife, folder), a method (original,
counterfactual, both, gan, both_gan, lntl, irm, balanced, group_dro), or first the one and then the
other: docs/counterfactual.md. Without it they are colored and original; a data set alone is learned
from counterfactuals. These are made, within the step, by a generator that is trained first, or by
one that is given: trained by configs/counterfactual.py, or published; or they are drawn from a file
that --mode=generate wrote.
The generator of gan and both_gan is a conditional GAN, see configs/conditional_gan.py.
"""

from ml_collections import ConfigDict

from icm_jax import default_config
from icm_jax.systems.counterfactual.invariance.config import set_and_method


def get_config(choice: str = "colored,original") -> ConfigDict:
    """The defaults of `icm_jax.systems.counterfactual.invariance.config` with a set and a method.

    Of a data set alone the method is 'counterfactual'.
    """
    result = default_config("invariant_classifier")
    result.method = "counterfactual"
    result.update(set_and_method(choice))
    return result
