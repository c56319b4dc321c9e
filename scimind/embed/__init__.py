"""Vectors of molecules and other sequences: the model's hidden states, pooled over the tokens of each."""
