"""A step on one device, and on several that are axes of `vmap`."""

import jax
import jax.numpy as jnp


def step_on_devices(alone, together, state, data, key, count=2):
    """What a step alone comes to, and what it comes to on each of several devices.

    `alone` and `together` are `(state, data, key) -> ...`, the latter with the axis "devices".
    """

    @jax.jit
    def both(state, key):
        call = jax.vmap(
            lambda state, key, _: together(state, data, key),
            in_axes=(None, None, 0),
            axis_name="devices",
        )
        return alone(state, data, key), call(state, key, jnp.arange(count))

    one, everyone = jax.device_get(both(state, key))
    return one, [jax.tree.map(lambda x, d=d: x[d], everyone) for d in range(count)]
