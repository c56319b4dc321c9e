"""Which experts a token uses: one router a module, which `routers.py` lists.

A router's planner makes a plan of a step's token ids once, for all layers; each layer has a router of its own that
reads it (`router.py`).
"""
