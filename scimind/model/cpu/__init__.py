"""Llama's parts in plain operators: what a CPU computes fastest."""
