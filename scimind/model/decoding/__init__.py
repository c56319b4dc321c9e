"""Decoding on a CPU: networks for prompts and for steps, in plain operators over a SciMindForCausalLM's parameters.

Ascend's kernels for cached attention do not exist on a CPU. These networks contain the model's own components, share
its parameters by name, and keep keys and values in parameters of a fixed length, so that a compiled graph serves every
batch of its shape. Several steps run in one call, in a loop within the graph.

Shapes as in `scimind.model`; n heads, n_kv key and value heads, p head size, r = n / n_kv, l cache length.
"""
