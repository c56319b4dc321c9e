"""Search for answers that a rule accepts: greedy with backtracking, in beams, and by rejecting samples.

The model is a function from the tokens of an answer so far to the log-probabilities of the next one, so that nothing
here depends on a decoder. Shapes: v vocabulary.
"""
