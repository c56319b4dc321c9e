"""Measures what valid answers, beams and samples cost and bring, with one model and one file of prompts.

    python scripts/bench/answers.py --load_checkpoint output/nano --input LPM-24-data/text2smiles/test.json

Each way of answering runs in every turn, in the same process and after one run that is not counted, in which its graphs
are compiled. Prints a table: the median of the seconds that generation took, the same as a ratio to plain decoding in
the same turn, and the shares of valid and exact answers. The machine must be idle.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator

from scimind.config import RunConfig, load_config
from scimind.generate.answer_rules import read_rules
from scimind.generate.predict import codec_of, load_decoder
from scimind.generate.predictor import Predictor
from scimind.generate.prompt_files import read_prompts
from scimind.generate.prompts import encode_prompts
from scimind.generate.settings import GenerationSettings
from scimind.generate.wanted_answers import search_for
from scimind.runtime.console import Console, quiet_console

TASK = "text2smiles"
SAMPLED = {"do_sample": True, "temperature": 0.7, "rank_by": "votes"}
WAYS: dict[str, dict[str, Any]] = {
    "none": {"valid": "none"},
    "require": {},
    "beam 4": {"num_beams": 4},
    "beam 8": {"num_return_sequences": 8},
    "votes of 4": {**SAMPLED, "num_return_sequences": 4, "samples_per_prompt": 4},
    "votes of 16": {**SAMPLED, "num_return_sequences": 16, "samples_per_prompt": 16},
}


def main() -> None:
    """Reads the arguments, measures, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="scimind_nano_predict", help="configuration of the model")
    parser.add_argument("--load_checkpoint", required=True, help="weights, or output folder of a run")
    parser.add_argument("--input", required=True, type=Path, help="prompts of text2smiles with references")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), help="which ways to measure")
    parser.add_argument("--batch_size", type=int, default=32, help="rows that are decoded together")
    parser.add_argument("--turns", type=int, default=3, help="runs of each way that count")
    parser.add_argument("--number", type=int, help="number of prompts; all by default")
    options = parser.parse_args()
    config = load_config(
        options.config,
        [
            f"load_checkpoint={options.load_checkpoint}",
            f"generation.batch_size={options.batch_size}",
        ],
    )
    with tempfile.TemporaryDirectory(prefix="scimind_bench_") as folder:
        measure(options, config, Path(folder))


def measure(options: argparse.Namespace, config: RunConfig, folder: Path) -> None:
    """Runs every way of answering, and prints the table; the files are written to a folder."""
    codec, rules = codec_of(config), read_rules(codec_of(config), TASK)
    base = GenerationSettings.from_config(config)
    with quiet_console(folder / "mindformers.log") as console:
        decoder = load_decoder(config, base, console)
    prompts = encode_prompts(codec, read_prompts(options.input, TASK))[: options.number]
    seconds: dict[str, list[float]] = {way: [] for way in options.ways}
    for turn in range(options.turns + 1):
        for way in options.ways:
            settings = GenerationSettings(**{**base.__dict__, **WAYS[way]})
            search = search_for(settings, codec, rules)
            predictor = Predictor(decoder, codec, settings, rules, Console(sys.stderr), search)
            file = folder / f"{way}.jsonl"
            summary = predictor.predict_file(prompts, file, {}, overwrite=True)
            if turn:
                seconds[way].append(summary.seconds)
    scores = {way: score(folder / f"{way}.jsonl") for way in options.ways}
    print_table(seconds, scores, len(prompts))


def score(predictions: Path) -> str:
    """Returns scores of a file in one line: of first answers, and the share of prompts with the right one among all."""
    fingerprints = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    rows = [json.loads(line) for line in predictions.read_text("utf-8").splitlines()]
    sums: Counter[str] = Counter()
    with rdBase.BlockLogs():
        for row in rows:
            right = Chem.MolFromSmiles(row["reference"])
            texts = [answer["output"] for answer in row.get("outputs") or [row]]
            answers = [Chem.MolFromSmiles(text) if text else None for text in texts]
            same = [one is not None and Chem.MolToSmiles(one) == Chem.MolToSmiles(right) for one in answers]
            sums.update(valid=answers[0] is not None, exact=same[0], among=any(same))
            if answers[0] is not None:
                pair = map(fingerprints.GetFingerprint, (answers[0], right))
                sums["morgan"] += DataStructs.TanimotoSimilarity(*pair)  # type: ignore[assignment]  # a share
    names = {"valid": "valid", "exact": "exact", "morgan": "Morgan", "among": "exact among all"}
    return ", ".join(f"{text} {sums[name] / len(rows):.3f}" for name, text in names.items())


def print_table(seconds: Mapping[str, list[float]], scores: Mapping[str, Any], prompts: int) -> None:
    """Prints a line for each way."""
    first = next(iter(seconds.values()))
    print(f"{prompts} prompts; seconds: median; ratio: median, lowest … highest, of the same turn")
    for way, taken in seconds.items():
        ratios = sorted(one / other for one, other in zip(taken, first, strict=True))
        shown = f"{statistics.median(ratios):5.2f} ({ratios[0]:.2f} … {ratios[-1]:.2f})"
        print(f"{way:12} {statistics.median(taken):7.2f} s  {shown}  {scores[way]}")


if __name__ == "__main__":
    main()
