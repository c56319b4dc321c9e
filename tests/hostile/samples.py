"""Small valid files of every format that SciMind reads, from which hostile ones are made."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import json
import lzma
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scimind.evaluate.lpm24.ranking import NODES

PAIRS = [
    ("CCO", "The molecule is ethanol."),
    ("c1ccccc1O", 'It\'s a phenol; it smells, "sweet".'),
    ("C[N+](C)(C)CC(=O)[O-]", "Betaine is a zwitterion with é and 漢."),
    ("OC(=O)C/C=C\\C", "An acid.\nWith two lines."),
]
ROWS = [{"id": str(n), "molecule": smiles, "caption": text} for n, (smiles, text) in enumerate(PAIRS, start=1)]
PREDICTIONS = [
    {"id": str(n), "input": smiles, "output": text[:-3], "reference": text, "finish_reason": "stop"}
    for n, (smiles, text) in enumerate(PAIRS, start=1)
]
# Several answers to each prompt, as a list and as rows.
RANKED: list[dict[str, Any]] = [
    {**row, "outputs": [{"output": row["output"], "log_likelihood": -1.5}, {"output": "C", "log_likelihood": None}]}
    for row in PREDICTIONS
]
RANKED_ROWS: list[dict[str, Any]] = [
    {"id": row["id"], "rank": rank, "output": answer["output"], "log_likelihood": -1.5, "reference": row["reference"]}
    for row in RANKED
    for rank, answer in enumerate(row["outputs"], start=1)
]
CONVERSATIONS: list[dict[str, Any]] = [
    {
        "id": "a",
        "conversations": [
            {"from": "human", "value": "Describe <smiles>CCO</smiles>"},
            {"from": "gpt", "value": "It is ethanol."},
        ],
    },
    {
        "messages": [
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": "What is <smiles>C</smiles>?"},
            {"role": "assistant", "content": "Methane."},
        ]
    },
    {"instruction": "Name it.", "input": "CCO", "output": "Ethanol"},
]

FASTA = b">a first\nACGTACGTAC\nGTNNACGT\n\n>b\nMKTAYIAKQR\n;comment\nQISFVKSHFS*\n>c\nacgt\n"
FASTQ = b"@r1 x\nACGTN\n+\nIIII#\n@r2\nGGCC\n+r2\n@@@@\n"
SMILES_LIST = b"smiles name\nCCO ethanol\nc1ccccc1\tbenzene ring\nC[C@H](N)C(=O)O\n[Na+].[Cl-] salt\n"
MOL = b"""ethanol
  made by hand

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    1.5000    0.0000    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    2.2000    1.2000    0.0000 O   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
  2  3  1  0
M  END
"""
SDF = MOL + b">  <caption>\nAn alcohol.\n\n>  <note> (1)\nx\n\n$$$$\n" + MOL.replace(b"ethanol", b"") + b"$$$$\n"

TASK: dict[str, Any] = {
    "name": "solubility",
    "description": "Predict whether a molecule dissolves.",
    "question": "Does {molecule} dissolve? {choices}",
    "answer": "{label}",
    "fields": {
        "molecule": {"kind": "smiles", "columns": ["smiles", "molecule"]},
        "label": {"kind": "label", "columns": ["soluble"], "labels": {"yes": ["1"], "no": ["0"]}},
    },
    "output": {"kind": "choice", "choices": ["yes", "no"], "positive": "yes"},
    "metrics": "classification",
}
DESCRIBING_TASK = {
    "name": "describe",
    "question": "Describe {molecule}.",
    "answer": "{caption}",
    "fields": {"molecule": {"kind": "smiles", "fallback": "mol"}, "caption": {"optional": False}},
    "key": "molecule",
    "headerless": ["molecule", "caption"],
    "conflicts": "first",
}
NUMBER_TASK = {
    "name": "affinity",
    "question": "How strongly does {molecule} bind?",
    "answer": "{value}",
    "fields": {
        "molecule": {"kind": "smiles", "columns": ["smiles"]},
        "value": {"kind": "number", "columns": ["soluble"], "digits": 1, "unit": "nM", "transform": "log10"},
    },
    "output": {"kind": "number", "training_mean": 0.5},
}
MEASURED = b"smiles,measured\nCCO,4.9 nM\nc1ccccc1,-0.5\nC,1e-7\nCC,\nCCC,12\n"
LABELS = b"smiles,soluble\nCCO,1\nc1ccccc1,0\nC,1\n"

MIXTURE = {
    "name": "both",
    "temperature": 2,
    "records": 10,
    "tasks": {
        "captions": {"task": "smiles2text", "input": ["rows.csv"]},
        "sequences": {"task": "pretrain", "input": "dna=some.fasta", "weight": None},
        "solubility": {"task": "task.yaml", "input": ["labels.csv"], "columns": {"molecule": "smiles", "label": 2}},
    },
}
RANK_TABLE = {
    "version": "1.0",
    "status": "completed",
    "server_count": "2",
    "server_list": [
        {
            "server_id": f"10.0.0.{server}",
            "device": [
                {"device_id": str(n), "device_ip": f"192.168.{server}.{n}", "rank_id": str(2 * server + n)}
                for n in (0, 1)
            ],
            "host_nic_ip": "reserve",
        }
        for server in (0, 1)
    ],
}


def json_list(rows: Sequence[Any]) -> bytes:
    return json.dumps(list(rows), ensure_ascii=False, indent=1).encode()


def json_lines(rows: Sequence[Any]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def table(rows: Sequence[Mapping[str, Any]], separator: str = ",") -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]), delimiter=separator, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({key: str(value) for key, value in row.items()} for row in rows)
    return stream.getvalue().encode()


def workbook(rows: Sequence[Mapping[str, Any]], *, sheets: int = 1) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for number in range(sheets):
        sheet = book.active if not number else book.create_sheet()
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append(
                [value if isinstance(value, int | float | str | None) else str(value) for value in row.values()]
            )
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def parquet(rows: Sequence[Mapping[str, Any]], **options: Any) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet as files

    stream = io.BytesIO()
    files.write_table(pa.Table.from_pylist([dict(row) for row in rows]), stream, **options)
    return stream.getvalue()


def compressed(content: bytes) -> dict[str, bytes]:
    """Returns a file compressed in each supported way, and in several parts."""
    import zstandard

    half = len(content) // 2
    return {
        "gz": gzip.compress(content, mtime=0),
        "bz2": bz2.compress(content),
        "xz": lzma.compress(content),
        "zst": zstandard.compress(content),
        "parts.gz": gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0) + b"\0" * 20,
    }


def rezipped(content: bytes, change: Mapping[str, bytes]) -> bytes:
    """Returns a zip file with some members replaced."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w") as target:
        for name in source.namelist():
            target.writestr(name, change.get(name, source.read(name)))
    return stream.getvalue()


def safetensors(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def _field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def ckpt(tensors: Mapping[str, np.ndarray]) -> bytes:
    """Returns a MindSpore checkpoint of float32 tensors, as `mindspore.save_checkpoint` writes it."""
    found = b""
    for name, values in tensors.items():
        dims = b"".join(varint(1 << 3) + varint(size) for size in values.shape)
        tensor = dims + _field(2, b"Float32") + _field(3, values.astype("<f4").tobytes())
        found += _field(1, _field(1, name.encode()) + _field(2, tensor))
    return found


VOCABULARY = 300  # pieces, which hold all bytes
# A complete Llama of the smallest size, in Hugging Face's form and in MindFormers'.
LLAMA = {
    **{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "torch_dtype": "float32"},
    **{"hidden_size": 4, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 4},
    **{"num_hidden_layers": 1, "vocab_size": VOCABULARY, "tie_word_embeddings": False, "max_position_embeddings": 8},
    **{"rms_norm_eps": 1e-6, "rope_theta": 10000.0, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
}


def llama_weights() -> dict[str, np.ndarray]:
    names = {
        "model.embed_tokens.weight": (VOCABULARY, 4),
        "model.layers.0.self_attn.q_proj.weight": (4, 4),
        "model.layers.0.self_attn.k_proj.weight": (2, 4),
        "model.layers.0.self_attn.v_proj.weight": (2, 4),
        "model.layers.0.self_attn.o_proj.weight": (4, 4),
        "model.layers.0.mlp.gate_proj.weight": (4, 4),
        "model.layers.0.mlp.up_proj.weight": (4, 4),
        "model.layers.0.mlp.down_proj.weight": (4, 4),
        "model.layers.0.input_layernorm.weight": (4,),
        "model.layers.0.post_attention_layernorm.weight": (4,),
        "model.norm.weight": (4,),
        "lm_head.weight": (VOCABULARY, 4),
    }
    draw = np.random.default_rng(0).standard_normal
    return {name: draw(shape).astype(np.float32) for name, shape in names.items()}


def safetensors_header(weights: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], bytes]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, values in weights.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [len(data), len(data) + values.nbytes],
        }
        data += values.tobytes()
    return header, data


def metrics(group: str, names: Sequence[str], predictions: bytes) -> dict[str, Any]:
    """Returns what `scimind evaluate --output` writes for a group of metrics.

    Args:
        group: captions or molecules.
        names: The metrics that were computed.
        predictions: The file that was scored.
    """
    score = {"value": 0.5, "low": 0.4, "high": 0.6, "better": "higher", "text": "a share"}
    return {
        **{"format": 1, "task": group, "group": group, "protocol": "lpm24", "items": len(PREDICTIONS)},
        "metrics": {name: dict(score) for name in names},
        "protocol_values": {names[0]: 0.25},
        "not_computed": {"property_f1": "needs --properties"},
        "counts": {"items": len(PREDICTIONS), "empty_outputs": 0},
        "settings": {"tokens": "words", "intervals": "none"},
        "details": {"properties": {name: {"f1": 0.5, "f1_protocol": 0.5} for name in NODES}},
        "files": {"predictions": {"path": "p.jsonl", "sha256": hashlib.sha256(predictions).hexdigest()}},
        "versions": {"scimind": "0.2.0"},
    }
