"""Independent causal mechanisms in JAX and Flax."""
