"""Checkpoints of other forms to SciMind's, and back."""
