"""Predictions and references to numbers. Loads no MindSpore."""
