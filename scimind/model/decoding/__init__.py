"""Decoding on a CPU: a prompt's network and a step's, in plain operators over the parameters of a SciMindForCausalLM.

Ascend's kernels for cached attention do not exist on a CPU. These networks hold the model's own parts, share its
parameters under their names, and keep keys and values in parameters of a fixed length, so that a compiled graph serves
every batch of its shape. Several steps run in one call, in a loop that is part of the graph.

Shapes as in `scimind.model`; n heads, n_kv heads of keys and values, p size of a head, r = n / n_kv, l length of the
cache.
"""
