"""Memory of a process that trains or predicts on a CPU with SciMind's own operators, float32.

What a step keeps is counted from `scimind.model.cpu`; MindSpore's overhead is measured, see `scripts/bench/memory.py`.
Symbols are those of scimind.model.
"""

from __future__ import annotations

from scimind.accounting import ModelShape, parameters
from scimind.config import RunConfig
from scimind.memory.components import MOMENTS, TRAINING, Memory

_FLOAT = 4
_MEBI = 2**20
# MindSpore 2.9 on x86-64, fitted to seven models of sizes other than those in scripts/bench/memory.py.
_COPIES = 1  # of each parameter, in addition to those counted below: scaled gradients, and sums of their products
_GRAPH = 140 * _MEBI  # a compiled step without layers
_GRAPH_LAYER = {"grouped": 13 * _MEBI, "masked": 2 * _MEBI}
_TABLES = 5  # vectors of d per token that a layer has in addition to what it keeps
_BLOCK = 128  # queries that attention processes at a time, see scimind.model.cpu.attention
_LOGITS = 2**22  # logits that the loss processes at a time, see scimind.model.cpu.loss
_LOSS_BLOCKS = 8  # maximum number of such blocks


def memory_of_process(config: RunConfig) -> Memory:
    """Returns an estimate of a process's memory in addition to what MindSpore takes when it is loaded."""
    shape = ModelShape.of(config.model_config)
    number = sum(parameters(shape).values())
    dispatch = config.dispatch
    if config.run_mode in TRAINING:
        tokens = config["runner_config"]["batch_size"] * shape.length
        tables = shape.layers * tokens * shape.hidden * _TABLES * _FLOAT
        return Memory(
            weights=number * _FLOAT,
            gradients=number * _FLOAT,
            optimizer=number * MOMENTS,
            activations=_activations(shape, dispatch, tokens),
            runtime=number * _COPIES * _FLOAT + tables + _GRAPH + shape.layers * _GRAPH_LAYER[dispatch],
        )
    rows = config.generation["batch_size"]
    cache = 2 * shape.layers * rows * shape.length * shape.key_size * _FLOAT
    tokens = rows * shape.length
    return Memory(
        weights=number * _FLOAT,
        cache=cache if config.model_config["use_past"] else 0,
        activations=tokens * _layer_numbers(shape, dispatch) * _FLOAT + tokens * shape.vocabulary * _FLOAT,
    )


def _activations(shape: ModelShape, dispatch: str, tokens: int) -> int:
    """Returns the bytes that a step keeps for its backward pass, plus one block's logits, softmax and gradient."""
    rows = min(tokens, max(_LOGITS // shape.vocabulary, -(-tokens // _LOSS_BLOCKS)))
    numbers = tokens * shape.layers * _layer_numbers(shape, dispatch) + rows * 3 * shape.vocabulary
    if dispatch == "grouped" and shape.router == "modality":  # each group's slice of the weights
        numbers += shape.layers * 3 * shape.hidden * shape.neurons
    return int(numbers * _FLOAT)


def _layer_numbers(shape: ModelShape, dispatch: str) -> int:
    """Returns how many numbers one layer keeps per token.

    These are ten vectors of d; each head's probabilities for the blocks of keys that a query sees; both products of
    each neuron, and if inactive neurons are masked, also the result, the mask and the masked result. Grouped tokens
    have two more vectors of d, and only the neurons that they use: half of the tokens are assumed to be text, half
    SMILES.
    """
    keys = (shape.length + min(_BLOCK, shape.length)) // 2
    common = 8 * shape.hidden + 2 * shape.key_size + shape.heads * keys
    if dispatch == "grouped":
        active = (shape.active_neurons("text") + shape.active_neurons("smiles")) // 2
        return common + 2 * shape.hidden + 2 * active
    return common + 5 * shape.neurons
