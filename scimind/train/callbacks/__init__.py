"""The callbacks of a training: progress, loss curve, evaluation, checkpoints."""
