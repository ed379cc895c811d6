"""Question 5: few canonical images, 64 and 512 in place of half the training images (30,000).

    python launch.py --mode=study --config=configs/study/canonical.py:short

The judge of restored digits still learns from all 30,000.
"""

from ml_collections import ConfigDict

from configs.study.common.ten_mechanisms import study


def get_config(form: str = "full") -> ConfigDict:
    """The study in its `full` or `short` form: see `configs.study.common.ten_mechanisms`."""
    variants = {
        "64 images": {"data": {"canonical": 64}},
        "512 images": {"data": {"canonical": 512}},
        "30000 images": {},
    }
    question = "How many canonical images does the discriminator need?"
    return study("canonical", question, form, variants)
