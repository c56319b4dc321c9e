"""Vocabularies that metrics need and that are not downloaded."""
