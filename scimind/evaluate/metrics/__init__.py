"""The metrics, one module for each kind of answer."""
