"""SciMind in Python: a model to ask, and the steps from data to scores; each does what the command of its name does."""
