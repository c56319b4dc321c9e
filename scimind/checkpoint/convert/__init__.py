"""Conversion of checkpoints to and from SciMind's format; `conversion` has the entry points, the rest serves them."""
