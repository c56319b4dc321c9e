"""Files of tensors: safetensors, MindSpore's `.ckpt`, and how sharded ones are laid out."""
