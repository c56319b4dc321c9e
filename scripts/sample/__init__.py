"""The sample of molecules and descriptions in `LPM-24-data/`: assembly, description, check, files."""
