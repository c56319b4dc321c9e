"""The feed-forward of tokens that use only some of its neurons, computed by group or by expert.

Shapes depend on the tokens: n, the number of a group's or an expert's tokens, differs from batch to batch. The cells
consist of gathers and slices with hand-written gradients, and of the dense products that `kernels` selects
(`dense.py`).
"""
