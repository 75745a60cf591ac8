"""Captions: the source's own, changed ones, and those that a model writes."""
