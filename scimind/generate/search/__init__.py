"""Search for answers that a rule accepts: greedy with backtracking, in beams, and by rejecting samples.

Nothing here depends on a decoder: searches ask for log-probabilities, see `model`. Shapes: v vocabulary.
"""
