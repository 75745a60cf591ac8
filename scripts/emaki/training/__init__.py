"""Training: the loop and, a module each, the mechanisms that it calls."""
