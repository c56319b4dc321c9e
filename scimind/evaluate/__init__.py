"""Predictions and references to numbers, in a process of its own that loads no MindSpore.

`evaluation` scores files, `tasks` says which group of metrics a task has, `resampling` makes the intervals; `results`
has the files that are written, for a report to read.
"""
