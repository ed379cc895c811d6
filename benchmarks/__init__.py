"""How long steps and whole runs take, how much memory, and how far from the machine's limits."""
