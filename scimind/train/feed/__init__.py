"""Which records each step takes, and the checks of the data sets before the first."""
