"""Settings of the data sets and of the tokenizer."""

from __future__ import annotations

from scimind.config.schema import Items, Node, Section, Value

_DATA_LOADER = Section(
    {
        "type": Value(str, choices=("MindDataset",)),
        "dataset_dir": Value(str),
        "dataset_files": Items(Value(str), single=True),
        "shuffle": Value(bool),
        "num_samples": Value(int, low=1, nullable=True),
    },
    required=("type",),
)

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

DATASET_TASK = Section(
    {"type": Value(str, choices=("CausalLanguageModelDataset",)), "dataset_config": DATASET}, required=("type",)
)

# `extension` is ours: whether molecules may hold the characters that the original's table lacks.
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
