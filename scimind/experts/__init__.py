"""Experts: the neurons of each feed-forward divided into equal parts, the division stored, chosen from and measured."""
