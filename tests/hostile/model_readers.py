"""Readers of checkpoints and tokenizers."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from scimind.tokenizer.codec import BUILT_IN_MODEL
from tests.hostile import samples
from tests.hostile.damage import bytes_of, json_files, trees_of
from tests.hostile.reader import FILE, HERE, OUT, Reader, predict, prepare


def _weight_readers() -> list[Reader]:
    weights = samples.llama_weights()
    header, data = samples.safetensors_header(weights)
    whole = samples.safetensors(header, data)
    model = _small_model()
    config = json.dumps(samples.LLAMA).encode()
    folder = {"config.json": config, "model.safetensors": whole, "tokenizer.model": model}
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(weights, "part.safetensors")}
    convert = ["convert", "--input", HERE, "--output", f"{OUT}/c", "--dry-run"]
    ours = {
        "layers.0.attention.wq.weight": weights["model.layers.0.self_attn.q_proj.weight"],
        "norm_out.weight": weights["model.norm.weight"],
    }
    changed = trees_of([header]).map(lambda tree: samples.safetensors(tree, data))
    return [
        Reader(
            "safetensors", ["model.safetensors"], st.one_of(changed, bytes_of([whole])), [convert, _tensors], folder
        ),
        Reader(".ckpt", ["model.ckpt"], bytes_of([samples.ckpt(ours)]), [convert, _tensors], {}),
        Reader(
            "safetensors index",
            ["model.safetensors.index.json"],
            json_files([index]),
            [convert],
            {**folder, "part.safetensors": whole},
        ),
        Reader("config.json", ["config.json"], json_files([samples.LLAMA]), [convert], folder),
        Reader(
            "tokenizer settings",
            ["scimind_tokenizer.json"],
            _tokenizer_settings(model),
            [prepare("pretrain", f"{HERE}/a.txt", "--tokenizer", HERE), convert],
            {**folder, "a.txt": b"hello\n"},
        ),
        Reader(
            "SentencePiece model",
            ["tokenizer.model"],
            bytes_of([BUILT_IN_MODEL.read_bytes()]),
            [prepare("pretrain", f"{HERE}/a.txt", "--tokenizer", FILE)],
            {"a.txt": b"hello <smiles>CCO</smiles>\n"},
        ),
        Reader(
            "fast tokenizer",
            ["tokenizer.json"],
            json_files([{"model": {"type": "BPE"}, "decoder": {"type": "ByteLevel"}}]),
            [[*convert, "--tokenizer", FILE]],
            folder,
            weight=0.5,
        ),
    ]


def _tensors(path: Path, out: Path) -> None:
    from scimind.checkpoint.formats.reading import read_tensors

    for tensor in read_tensors(path).values():
        for _ in tensor.chunks():
            pass


def _tokenizer_settings(model: bytes) -> st.SearchStrategy[bytes]:
    import hashlib

    settings = {"version": 1, "extension": True, "base_size": 4000, "sha256": hashlib.sha256(model).hexdigest()}
    return json_files([settings])


def _small_model() -> bytes:
    """Returns the first pieces of the built-in vocabulary as a SentencePiece model."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(BUILT_IN_MODEL.read_bytes())
    del model.pieces[samples.VOCABULARY :]
    model.trainer_spec.vocab_size = samples.VOCABULARY
    return bytes(model.SerializeToString())


def _checkpoint_readers() -> list[Reader]:
    weights = samples.ckpt({"a.weight": np.ones((2, 2), np.float32)})
    ours = _converted()
    description = json.loads(ours.pop("scimind.json"))
    seal = {"model.ckpt": {"bytes": len(weights), "crc32": "00000000"}}
    state = {
        **{
            "format": 1,
            "step": 3,
            "total_steps": 9,
            "steps_per_epoch": 3,
            "records_per_step": 2,
            "records": 6,
            "seed": 0,
        },
        **{"seconds": 1.5, "random": {}, "best_evaluation": None, "load_checkpoint": None},
    }
    back = ["convert", "--input", HERE, "--output", f"{OUT}/c", "--dry-run", "--to", "hf", "--allow-loss"]
    folder = {"model.ckpt": weights, "optimizer.ckpt": weights}
    ask = [item if item != f"{OUT}/weights.ckpt" else HERE for item in predict()]
    ask[ask.index("--input") + 1] = f"{HERE}/p.txt"
    around = {**folder, "p.txt": b"hello\n"}
    return [
        Reader("scimind.json", ["scimind.json"], json_files([description]), [back, ask], ours),
        Reader("checksums.json", ["checksums.json"], json_files([seal]), [_seal], around),
        Reader("training.json", ["training.json"], json_files([state]), [_resume_state], around),
    ]


def _converted() -> dict[str, bytes]:
    """Returns the files of a checkpoint that `scimind convert` made."""
    from scimind.checkpoint.convert.conversion import plan_conversion, run_conversion
    from scimind.checkpoint.convert.options import ConvertOptions

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "hf"), Path(folder, "ours")
        source.mkdir()
        (source / "config.json").write_text(json.dumps(samples.LLAMA))
        (source / "tokenizer.model").write_bytes(_small_model())
        whole = samples.safetensors(*samples.safetensors_header(samples.llama_weights()))
        (source / "model.safetensors").write_bytes(whole)
        options = ConvertOptions()
        run_conversion(plan_conversion(source, options), target, options)
        return {file.name: file.read_bytes() for file in target.iterdir()} | {"p.txt": b"hello\n"}


def _seal(path: Path, out: Path) -> None:
    from scimind.checkpoint.seal import fault_of_folder

    fault_of_folder(path.parent)
    fault_of_folder(path.parent, ["model.ckpt"])


def _resume_state(path: Path, out: Path) -> None:
    from scimind.train.resume import points

    points._read(path.parent)
    points._origin(path.parent)


def model_readers() -> list[Reader]:
    """Returns the readers of checkpoints and tokenizers."""
    return [*_weight_readers(), *_checkpoint_readers()]
