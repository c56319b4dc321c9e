"""Vocabularies that metrics need, read from local files and never downloaded."""
