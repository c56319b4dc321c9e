"""File formats of tensors: safetensors, MindSpore's `.ckpt`, and the layout of sharded checkpoints."""
