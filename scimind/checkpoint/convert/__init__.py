"""Checkpoints of other forms to SciMind's, and back; `conversion` has the functions, the rest is what they ask."""
