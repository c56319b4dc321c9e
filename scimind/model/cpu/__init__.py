"""Llama's parts in plain operators with gradients of their own: what makes a training step fast on a CPU.

MindFormers writes its layers for Ascend's fused kernels. On a CPU the operators that it falls back to, and their
automatic gradients, spend much of a step in slow reductions, broadcasts and copies. The cells here compute the same
values in two-dimensional products and element-wise operators. They hold no parameters: MindFormers' layers keep those,
under their own names, and hand them over as arguments.

Types are float32. Shapes as in `scimind.model`; n heads, n_kv heads of keys and values, p size of a head.
"""
