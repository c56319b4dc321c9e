"""From predictions and references to scores, in a separate process that does not load MindSpore.

`evaluation` scores files, `metric_groups` assigns a group of metrics to each task, `resampling` computes the intervals,
and `results` writes the files that a report reads.
"""
