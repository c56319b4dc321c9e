"""Feeding a training: checks of the data sets, and the records that each step takes."""
