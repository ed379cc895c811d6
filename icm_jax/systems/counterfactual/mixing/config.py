"""The config of a variational autoencoder on coloured digits: its fields and their rules."""

from icm_jax.schema import (
    Field,
    Fields,
    Schema,
    any_text,
    at_least,
    intervals,
    one_of,
    positive,
    with_shared,
)
from icm_jax.systems.counterfactual.biased import DATA_FIELDS, check_data

_SET = DATA_FIELDS["set"]._replace(
    allowed=one_of(("colored",)), text="coloured digits: of other sets no colour can be told"
)
_UNBIASED = DATA_FIELDS["unbiased"]._replace(
    allowed=("zeros, one or more", lambda shares: not any(shares)),
    text="each training image has a colour of its class: the others are unseen",
)

_FIELDS: Fields = {
    "data": {**DATA_FIELDS, "set": _SET, "unbiased": _UNBIASED},
    "generator": Field(
        "",
        any_text(),
        "whose counterfactuals are judged beside: folder of a finished run of a generator of the "
        "same classes, or a .pth or .npz of the published code; '': none",
    ),
    "batch_size": Field(64, at_least(1), "images of a step, on all devices"),
    "steps": Field(3000, at_least(0), "steps of training"),
    "learning_rate": Field(1e-3, positive(), "learning rate of Adam"),
    "vae": {
        "latent": Field(16, at_least(2), "numbers that an image passes through"),
        "width": Field(32, at_least(1), "channels of the layers next to the pixels"),
    },
    "classifier": {
        "batch_size": Field(128, at_least(1), "images of a step of what says which digit it is"),
        "steps": Field(1200, at_least(0), "steps of its training, before everything else"),
        "learning_rate": Field(
            2e-3, positive(), "learning rate of Adam at the start; it falls to 0 as a cosine"
        ),
    },
    "evaluation": {
        "every": Field(1000, at_least(1), "steps between evaluations"),
        "images": Field(2000, at_least(100), "samples, originals and counterfactuals judged"),
    },
    **intervals(100, 1000),
}

SCHEMA = Schema(with_shared("counterfactual_vae", _FIELDS), lambda config: check_data(config.data))
