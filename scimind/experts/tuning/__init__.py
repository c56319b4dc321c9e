"""Tuning of gates towards the experts that router `activation` picks, with the rest of the model frozen."""
