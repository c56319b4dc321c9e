"""Several workers under msrun: what `scripts/run_distribute.sh` starts, and the rank table of HCCL.

Nothing here loads MindSpore.
"""
