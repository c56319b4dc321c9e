"""Answers that a training generates at its evaluations, to show what the loss does not."""
