"""Runs several workers under msrun, as `scripts/run_distribute.sh` does, and handles HCCL rank tables.

Nothing here loads MindSpore.
"""
