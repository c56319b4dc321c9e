"""The schema of each section of a run's configuration."""
