"""Llama's components in plain operators with hand-written gradients, which make training fast on a CPU.

MindFormers writes its layers for Ascend's fused kernels. On a CPU, the operators that it falls back to, and their
automatic gradients, spend much of a step in slow reductions, broadcasts and copies. The cells here compute the same
values with two-dimensional products and element-wise operators. They hold no parameters: MindFormers' layers keep
those under their usual names and pass them as arguments.

Types are float32. Shapes as in `scimind.model`; n heads, n_kv key and value heads, p head size.
"""
