"""Reads rows and conversations from files of all supported formats."""
