"""A mixture of mechanisms as one."""

from collections.abc import Sequence

import jax

from icm_jax.mechanisms.registry import Spec, build, register


@register("any_of")
def any_of(key: jax.Array, image: jax.Array, *, of: Sequence[Spec]) -> jax.Array:
    """One of the mechanisms `of`, drawn for each image, all alike: a mixture as one mechanism."""
    choose_key, own_key = jax.random.split(key)
    bank = [build(spec) for spec in of]
    return jax.lax.switch(jax.random.randint(choose_key, (), 0, len(bank)), bank, own_key, image)
