"""The model as a decoder: whole sequences (`full`), with PagedAttention's cache (`paged`) or the CPU's (`cached`)."""
