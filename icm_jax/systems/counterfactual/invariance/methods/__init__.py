"""How an invariant classifier learns: each method has `init` and `make_step`."""
