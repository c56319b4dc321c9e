"""Warnings of a training that does not do what its user wants, each with what to do; without MindSpore."""
