"""The reproduction's VAE experts on faces, as they were: two groups of UTKFace, 10,000 steps.

    python launch.py --config=configs/faces_seed_vae.py --config.data.dir=utkface.zip
    python launch.py --config=configs/faces_seed_vae.py --config.data.dir=utkface.zip \\
      --config.experts.beta=0.1

As configs/faces_seed_cnn.py but for the experts: variational autoencoders of 256 latents with ReLU
as output, which learn to reconstruct the transformed faces before they compete. The reproduction
does not state the weight of its KL divergence. With the 10 here, over the 10,000 steps, each expert
comes to draw one image whatever it is given, as reported (`variation` in summary.json: 0.06 of
0.29); after 1000 they keep half of the variation, with 0.1 four fifths (docs/icm_faces_results.md).
configs/faces_groups.py:vae is what they come to with another loss.
"""

from ml_collections import ConfigDict

from configs import faces_seed_cnn


def get_config() -> ConfigDict:
    """The config of the reproduction's CNN experts with VAE experts in their place."""
    result = faces_seed_cnn.get_config()
    result.experts.update({"kind": "vae", "beta": 10.0})
    return result
