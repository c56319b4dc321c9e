"""The components of a device's memory."""

from __future__ import annotations

from dataclasses import dataclass

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
MOMENTS = 8  # bytes of AdamW's two moments of a parameter, float32
TRAINING = ("finetune", "train")


@dataclass(frozen=True)
class Memory:
    """Memory of the fullest device, in bytes.

    Args:
        weights: Weights, and those gathered from other devices.
        gradients: Gradients, in the weights' format; 0 outside training.
        optimizer: Two float32 moments of each weight; 0 outside training.
        activations: What the backward pass needs, and the loss; outside training one layer of the longest prompt.
        cache: Keys and values of full sequences; 0 in training.
        runtime: What MindSpore needs in addition, as far as known.
        stage: The pipeline stage of the device, from 0.
    """

    weights: int
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0
    cache: int = 0
    runtime: int = 0
    stage: int = 0

    @property
    def total(self) -> int:
        """The sum of all components."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.cache + self.runtime
