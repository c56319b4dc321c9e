"""The model: MindFormers' Llama with modality-routed experts."""
