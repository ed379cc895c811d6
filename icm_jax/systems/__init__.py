"""The systems, one a folder; `icm_jax.systems.registry` has them all."""
