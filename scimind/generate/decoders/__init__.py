"""The model as a decoder: whole sequences (`full`), PagedAttention's cache (`paged`), or the CPU's own (`cached`)."""
