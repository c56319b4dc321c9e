"""Routing: which experts a token uses."""
