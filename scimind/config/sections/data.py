"""Settings of data sets and tokenizer."""

from __future__ import annotations

from scimind.config.nodes import Inert, Items, Named, Repeats, Section, Value
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
_EVAL_DATA_LOADER = Section(
    {
        **_LOADER_FIELDS,
        "dataset_files": Named(_FILES, single=True),
        "shuffle": Inert((False,), "an evaluation reads the records in order"),
    },
    required=("type",),
)

_PACKED = "pack several records into a row with `scimind prepare --pack` and model.model_config.packed"
_TUNED = "only training data of which MindFormers splits the tensors can be tuned"
_DATASET_FIELDS: dict[str, Node] = {
    "data_loader": _DATA_LOADER,
    "input_columns": Inert((["input_ids", "labels"],), "give the columns of scimind prepare, input_ids and labels"),
    "output_columns": Inert((), _PACKED),
    "num_parallel_workers": Value(int, low=1),
    "python_multiprocessing": Inert((False,), "set num_parallel_workers"),
    "drop_remainder": Value(bool),
    "batch_size": Repeats("runner_config.batch_size", Value(int, low=1)),
    "repeat": Value(int, low=1),
    "numa_enable": Value(bool),
    "prefetch_size": Value(int, low=1),
    "seed": Value(int, low=0),
    "eod_reset": Inert((False,), _PACKED),
    "eod_token_id": Inert((None,), _PACKED),
    "auto_tune": Value(bool),
    "filepath_prefix": Value(str),
    "autotune_per_step": Value(int, low=1),
    "profile": Inert((False,), "set profile at the top level"),
    "do_eval": Inert((False,), "set do_eval at the top level"),
}
# SciMind reads the data of an evaluation itself: each record once, in order.
_EVAL_FIELDS: dict[str, Node] = {
    **_DATASET_FIELDS,
    "data_loader": _EVAL_DATA_LOADER,
    "num_parallel_workers": Inert((1, 8), "an evaluation reads with one process"),
    "drop_remainder": Inert((False,), "an evaluation uses every record; limit them with data_loader.num_samples"),
    "repeat": Inert((1,), "an evaluation uses each record once"),
    "numa_enable": Inert((False,)),
    "prefetch_size": Inert((1,)),
    "seed": Inert((0,), "an evaluation reads the records in order"),
    "auto_tune": Inert((False,), _TUNED),
    "filepath_prefix": Inert(("./autotune",), _TUNED),
    "autotune_per_step": Inert((10,), _TUNED),
    "do_eval": Inert((True,), "set do_eval at the top level"),
}

DATASET = Section(_DATASET_FIELDS, required=("data_loader",))
EVAL_DATASET = Section(_EVAL_FIELDS, required=("data_loader",))

DATASET_TASK = Section(
    {"type": Value(str, choices=("CausalLanguageModelDataset",)), "dataset_config": DATASET}, required=("type",)
)

EVAL_DATASET_TASK = Section(
    {"type": Value(str, choices=("CausalLanguageModelDataset",)), "dataset_config": EVAL_DATASET}, required=("type",)
)

_FIXED = "the tokens are those of the vocabulary; give it in processor.tokenizer.vocab_file"

# `extension` is ours: whether molecules may contain the characters missing from the original's vocabulary.
TOKENIZER = Section(
    {
        "type": Value(str, "SciMindTokenizer", choices=("SciMindTokenizer",)),
        "vocab_file": Value(str, nullable=True),
        "extension": Value(bool, True),
        "unk_token": Inert(("<unk>",), _FIXED),
        "bos_token": Inert(("<s>",), _FIXED),
        "eos_token": Inert(("</s>",), _FIXED),
        "pad_token": Inert(("<unk>",), _FIXED),
        "add_bos_token": Inert((True,), "every record and prompt begins with <s>"),
        "add_eos_token": Inert((False,), "every answer ends with </s>, and no prompt does"),
        "legacy": Inert((True,), _FIXED),
        "clean_up_tokenization_spaces": Inert((False,), "answers are decoded as they are"),
        "model_max_length": Inert((), "set model.model_config.seq_length"),
        "padding_side": Inert(("right",), "rows are padded on the right"),
    },
    always=True,
)
