"""Experts: dividing each feed-forward's neurons into equal parts; storing, numbering and measuring the partition."""
