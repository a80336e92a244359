"""Plans of a whole book at once: the same programme, its numbers for all clients together, a compiled exact solver."""
