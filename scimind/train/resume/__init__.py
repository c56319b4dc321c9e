"""Resuming an interrupted training: its last good checkpoint, its state, and its position in the data."""
