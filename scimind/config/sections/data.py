"""Settings of data sets and tokenizer."""

from __future__ import annotations

from scimind.config.nodes import Items, Named, Section, Value
from scimind.config.schema import Node

_FILES = Items(Value(str), single=True)
_LOADER_FIELDS: dict[str, Node] = {
    "type": Value(str, choices=("MindDataset",)),
    "dataset_dir": Value(str),
    "dataset_files": _FILES,
    "shuffle": Value(bool),
    "num_samples": Value(int, low=1, nullable=True),
}
_DATA_LOADER = Section(_LOADER_FIELDS, required=("type",))
# Ours: files under names, each of which is evaluated separately.
_EVAL_DATA_LOADER = Section({**_LOADER_FIELDS, "dataset_files": Named(_FILES, single=True)}, required=("type",))

_DATASET_FIELDS: dict[str, Node] = {
    "data_loader": _DATA_LOADER,
    "input_columns": Items(Value(str)),
    "output_columns": Items(Value(str)),
    "num_parallel_workers": Value(int, low=1),
    "python_multiprocessing": Value(bool),
    "drop_remainder": Value(bool),
    "batch_size": Value(int, low=1),
    "repeat": Value(int, low=1),
    "numa_enable": Value(bool),
    "prefetch_size": Value(int, low=1),
    "seed": Value(int, low=0),
    "eod_reset": Value(bool),
    "eod_token_id": Value(int, low=0, nullable=True),
    "auto_tune": Value(bool),
    "filepath_prefix": Value(str),
    "autotune_per_step": Value(int, low=1),
    "profile": Value(bool),
    "do_eval": Value(bool),
}

DATASET = Section(_DATASET_FIELDS, required=("data_loader",))
EVAL_DATASET = Section({**_DATASET_FIELDS, "data_loader": _EVAL_DATA_LOADER}, required=("data_loader",))

DATASET_TASK = Section(
    {"type": Value(str, choices=("CausalLanguageModelDataset",)), "dataset_config": DATASET}, required=("type",)
)

EVAL_DATASET_TASK = Section(
    {"type": Value(str, choices=("CausalLanguageModelDataset",)), "dataset_config": EVAL_DATASET}, required=("type",)
)

# `extension` is ours: whether molecules may contain the characters missing from the original's vocabulary.
TOKENIZER = Section(
    {
        "type": Value(str, "SciMindTokenizer", choices=("SciMindTokenizer",)),
        "vocab_file": Value(str, nullable=True),
        "extension": Value(bool, True),
        "unk_token": Value(str),
        "bos_token": Value(str),
        "eos_token": Value(str),
        "pad_token": Value(str),
        "add_bos_token": Value(bool),
        "add_eos_token": Value(bool),
        "legacy": Value(bool),
        "clean_up_tokenization_spaces": Value(bool),
        "model_max_length": Value(int, low=1),
        "padding_side": Value(str, choices=("left", "right")),
    },
    always=True,
)
