"""Random Llamas of many shapes as `save_pretrained` writes them, and what SciMind makes of one that was converted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sentencepiece import sentencepiece_model_pb2

from scimind.checkpoint.convert.conversion import plan_conversion, run_conversion
from scimind.checkpoint.convert.options import ConvertOptions
from scimind.config import load_config
from scimind.generate.decoders.full import FullDecoder
from scimind.generate.decoders.protocols import Decoder
from scimind.generate.loop import generate_batch
from scimind.generate.predict import codec_of, load_decoder
from scimind.generate.settings import GenerationSettings
from scimind.model.loading import load_model
from scimind.tokenizer.codec import BUILT_IN_MODEL
from tests.support import numpy_llama
from tests.support.models import logits

CONTEXT = 96


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama."""

    hidden: int
    heads: int
    kv_heads: int
    neurons: int
    layers: int
    vocabulary: int
    tied: bool = False

    def __str__(self) -> str:
        tied = " tied" if self.tied else ""
        return (
            f"d{self.hidden} h{self.neurons} {self.heads}/{self.kv_heads} heads x{self.layers} v{self.vocabulary}{tied}"
        )


# Widths that 16 divides and does not divide, prime ones, grouped queries, tied matrices, vocabularies up to Llama 3's.
SHAPES = (
    Shape(32, 4, 2, 172, 2, 2000),
    Shape(32, 4, 1, 11008, 1, 300, tied=True),
    Shape(48, 6, 3, 1376, 1, 2000, tied=True),
    Shape(64, 8, 2, 13824, 1, 1000),
    Shape(40, 5, 5, 107, 2, 300),
    Shape(32, 2, 2, 64, 2, 300),
    Shape(64, 4, 1, 688, 2, 512),
    Shape(64, 8, 8, 1376, 1, 1000, tied=True),
    Shape(32, 4, 4, 11008, 1, 32000),
    Shape(32, 4, 2, 172, 1, 32000, tied=True),
    Shape(32, 8, 4, 13824, 1, 4096),
    Shape(24, 3, 1, 100, 3, 2000, tied=True),
    Shape(96, 6, 2, 256, 2, 2000),
    Shape(32, 16, 4, 344, 2, 5000),
    Shape(64, 4, 4, 1536, 2, 50000, tied=True),
    Shape(32, 4, 2, 128, 1, 128256),
    Shape(32, 4, 4, 172, 1, 128256, tied=True),
    Shape(64, 2, 1, 5504, 1, 32000),
    Shape(32, 4, 4, 97, 4, 2000, tied=True),
    Shape(64, 8, 4, 1376, 2, 65536),
)


@dataclass(frozen=True)
class Outcome:
    """What a converted model computes.

    Attributes:
        logits: Of the ids, for the input's vocabulary, [s, v].
        full: The answer to each prompt without a cache.
        cached: The answers with a cache of keys and values; empty if they were not wanted.
    """

    logits: np.ndarray
    full: list[list[int]]
    cached: list[list[int]]


def draw(shape: Shape, folder: Path, seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Writes a random Llama with a tokenizer of its vocabulary; returns its weights and its config.json."""
    config = {
        **numpy_llama.SIZES,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "intermediate_size": shape.neurons,
        "num_hidden_layers": shape.layers,
        "vocab_size": shape.vocabulary,
        "tie_word_embeddings": shape.tied,
        "max_position_embeddings": CONTEXT,
    }
    weights = numpy_llama.draw(config, seed)
    numpy_llama.save(folder, weights, config)
    (folder / "tokenizer.model").write_bytes(tokenizer_of_size(shape.vocabulary))
    return weights, config


def tokenizer_of_size(size: int) -> bytes:
    """Returns a SentencePiece model with the specials, all bytes, and as many pieces as needed, invented ones last."""
    model = sentencepiece_model_pb2.ModelProto.FromString(BUILT_IN_MODEL.read_bytes())
    del model.pieces[size:]
    for number in range(len(model.pieces), size):
        model.pieces.add(piece=f"▁{number:x}·", score=-float(number))
    model.trainer_spec.vocab_size = size
    return bytes(model.SerializeToString())


def convert(source: Path, output: Path, **options: Any) -> Path:
    """Converts into one folder, moves the result into another, and returns that."""
    chosen = ConvertOptions(**options)
    run_conversion(plan_conversion(source, chosen), output / "written", chosen)
    return (output / "written").rename(output / "moved")


def outcome_of(
    folder: Path,
    ids: np.ndarray,
    prompts: Sequence[Sequence[int]],
    tokens: int,
    size: int,
    *,
    mode: int = 0,
    with_cache: bool = True,
) -> Outcome:
    """Returns what the model of a folder's `predict.yaml` computes.

    Args:
        folder: The converted checkpoint.
        ids: Ids whose logits are wanted, [s].
        prompts: Ids of each prompt.
        tokens: Longest answer.
        size: The input's vocabulary v.
        mode: MindSpore's mode without a cache: 0 compiles graphs, which is worth it for long answers; 1 does not.
        with_cache: Whether to answer with a cache too, whose graph takes seconds to compile.
    """
    quick = [f"generation.batch_size={len(prompts)}", f"generation.max_new_tokens={tokens}"]
    plain = load_config(folder / "predict.yaml", [*quick, "model.model_config.use_past=False", f"context.mode={mode}"])
    model = load_model(plain)
    cached = load_config(folder / "predict.yaml", quick)
    settings = GenerationSettings.from_config(cached)
    codec = codec_of(cached)

    def answers(decoder: Decoder) -> list[list[int]]:
        found = generate_batch(
            decoder, prompts, settings, eos_id=codec.eos_id, vocab_size=codec.vocab_size, pad_id=codec.pad_id
        )
        return [answer.ids for answer in found]

    seen = logits(model, ids[None])[0, :, :size]
    full = answers(FullDecoder(model))
    return Outcome(seen, full, answers(load_decoder(cached, settings)) if with_cache else [])


def some_input(shape: Shape, seed: int = 1) -> tuple[np.ndarray, list[list[int]]]:
    """Returns random ids [20], and three prompts of different lengths that begin with BOS."""
    random = np.random.default_rng(seed)
    ids = random.integers(3, shape.vocabulary, 20).astype(np.int32)
    return ids, [[1, *ids[:stop].tolist()] for stop in (3, 9, 17)]


def numpy_answer(
    weights: dict[str, np.ndarray], config: dict[str, Any], prompt: Sequence[int], tokens: int
) -> list[int]:
    """Returns the greedy answer of the independent Llama; padding, id 0, is never an answer, and 2 ends it."""
    ids = list(prompt)
    while len(ids) < len(prompt) + tokens:
        scores = numpy_llama.logits(weights, config, np.array(ids))[-1]
        scores[0] = -np.inf
        if scores.argmax() == 2:
            break
        ids.append(int(scores.argmax()))
    return ids[len(prompt) :]
