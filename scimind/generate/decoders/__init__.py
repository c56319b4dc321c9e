"""The model as a decoder: whole sequences, PagedAttention's cache, or the CPU's own cache."""
