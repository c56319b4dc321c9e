"""Trains the small SentencePiece vocabulary that comes with the package, from words and captions written for the
project.

Run it from the root of the repository: `python scripts/build_tokenizer.py`. The same input gives the same file, byte
for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import string
from collections.abc import Iterator
from pathlib import Path

import sentencepiece

from scimind.tokenizer.alphabet import added_tokens, token_form
from scimind.tokenizer.segmentation import TextPiece, segment

ROOT = Path(__file__).resolve().parents[1]
LEXICON = Path(__file__).with_name("tokenizer_lexicon.txt")
SAMPLE = ROOT / "LPM-24-data" / "smiles2text" / "train.json"
OUTPUT = ROOT / "scimind" / "tokenizer" / "scimind_small.model"

# Captions repeat a few hundred words thousands of times; without this weight the lexicon's words would get no pieces.
LEXICON_REPEATS = 12
WORDS_A_LINE = 8


def read_lexicon(path: Path) -> tuple[list[str], list[str]]:
    """Returns the words (unique, in order) and the sentences of a lexicon file, whose first lines describe the
    format."""
    words: dict[str, None] = {}
    sentences = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.endswith((".", "?", ":")):
            sentences.append(line)
        else:
            words.update(dict.fromkeys(line.split()))
    return list(words), sentences


def read_captions(path: Path) -> Iterator[str]:
    """Yields the plain text of every turn of a conversation file, without molecules."""
    forms = {token_form(*token) for token in added_tokens(extension=True)}
    for record in json.loads(path.read_text(encoding="utf-8")):
        for turn in record["conversation"]:
            for part in segment(turn["value"], forms):
                if isinstance(part, TextPiece):
                    yield from filter(None, part.text.split("\n"))


def corpus(lexicon: Path, sample: Path | None) -> Iterator[str]:
    """Yields the training lines: words, several times each and once capitalised as at the start of a sentence, and
    sentences."""
    words, sentences = read_lexicon(lexicon)
    for repeat in range(LEXICON_REPEATS):
        chosen = [word.capitalize() if repeat == 0 and word.islower() else word for word in words]
        for start in range(0, len(chosen), WORDS_A_LINE):
            yield " ".join(chosen[start : start + WORDS_A_LINE])
        yield from sentences
    if sample is not None:
        yield from read_captions(sample)


def train(lines: Iterator[str], vocab_size: int) -> bytes:
    """Returns a SentencePiece model with Llama-2's settings: BPE, byte fallback, separate digits, text unchanged."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines,
        model_writer=model,
        model_type="bpe",
        vocab_size=vocab_size,
        character_coverage=1.0,
        # Every character that can be typed gets a piece; all others are spelled in bytes.
        required_chars="".join(sorted(set(string.printable) - set(string.whitespace))),
        max_sentencepiece_length=16,
        split_by_unicode_script=True,
        split_by_whitespace=True,
        split_by_number=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=True,
        remove_extra_whitespaces=False,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def main() -> None:
    """Reads the arguments, trains and writes the model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lexicon", type=Path, default=LEXICON, help="words and sentences (default: %(default)s)")
    parser.add_argument("--sample", type=Path, default=SAMPLE, help="conversation JSON (default: %(default)s)")
    parser.add_argument("--no_sample", action="store_true", help="train on the lexicon only")
    parser.add_argument("--vocab_size", type=int, default=2000, help="number of pieces (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the model file (default: %(default)s)")
    arguments = parser.parse_args()
    sample = None if arguments.no_sample else arguments.sample
    for path in filter(None, (arguments.lexicon, sample)):
        if not path.is_file():
            parser.error(f"{path} is missing; name another file, or train without the sample with --no_sample")
    model = train(corpus(arguments.lexicon, sample), arguments.vocab_size)
    arguments.output.write_bytes(model)
    print(f"{arguments.output}: {len(model):,} bytes, sha256 {hashlib.sha256(model).hexdigest()[:12]}")


if __name__ == "__main__":
    main()
