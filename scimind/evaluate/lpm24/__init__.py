"""The L+M-24 shared task: its properties, its submission and its ranking."""
