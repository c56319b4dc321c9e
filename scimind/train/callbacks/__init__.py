"""What a training does between its steps: progress, loss curve, evaluation, checkpoints."""
