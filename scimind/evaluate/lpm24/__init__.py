"""The L+M-24 shared task: its properties, its submissions and its ranking."""
