"""The feed-forward of tokens that use some of its neurons, by the tokens of a group or of an expert.

Shapes depend on the tokens: n, of a group's or an expert's tokens, differs from batch to batch. The cells are made of
gathers and slices, with gradients of their own, and of the dense products that `kernels` chooses (`dense.py`).
"""
