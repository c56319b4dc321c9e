"""The metrics, one module per kind of answer."""
