"""Weights on disk: found, described, checked, read and written."""
