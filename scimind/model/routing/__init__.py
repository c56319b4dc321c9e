"""Routing: which experts a token uses. Each router has its own module; `routers.py` lists them.

A router's planner makes one plan per step from the token ids, for all layers; each layer has its own router, which
reads the plan (`router.py`).
"""
