"""Converts random Llamas of 20 shapes and compares the results with transformers: logits and greedy answers.

Run it from the root of the repository, with torch installed: `python scripts/compare_llamas.py`. It takes some minutes.
Each model is converted with the default settings, moved to another folder, and used there from its `predict.yaml`. The
last two lines are models that must differ: half of the experts for text, and one changed weight.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from scimind.runtime.console import quiet_console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tests' Llamas

from tests.support.models import use_mode
from tests.support.random_llamas import CONTEXT, SHAPES, Shape, convert, draw, outcome_of, some_input

_HALF = {"text": ["0..1"], "smiles": ["2..3"], "nucleotide": ["2..3"], "protein": ["2..3"]}


def compare(shape: Shape, tokens: int, *, change: bool = False, **options: Any) -> tuple[float, float, bool, bool]:
    """Returns the largest difference of logits, the largest logit, and whether the answers are equal without and with a
    cache.

    Args:
        shape: The model's sizes.
        tokens: Length of the answers.
        change: Whether one weight of transformers' model is changed.
        options: Fields of `ConvertOptions`.
    """
    import torch
    from transformers import LlamaForCausalLM

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw(shape, folder / "hf")
        theirs = LlamaForCausalLM.from_pretrained(folder / "hf", torch_dtype=torch.float32).eval()
        ids, prompts = some_input(shape)
        with torch.no_grad():
            if change:
                theirs.model.layers[0].mlp.down_proj.weight[3, 4] += 0.1
            logits = theirs(torch.tensor(ids[None], dtype=torch.long)).logits[0].numpy()
            # SciMind never answers with padding, id 0.
            settings: dict[str, Any] = {
                "do_sample": False,
                "suppress_tokens": [0],
                "eos_token_id": 2,
                "pad_token_id": 0,
            }
            answers = []
            for prompt in prompts:
                new = min(tokens, CONTEXT - len(prompt))
                found = theirs.generate(torch.tensor([prompt]), max_new_tokens=new, **settings)[
                    0, len(prompt) :
                ].tolist()
                answers.append([token for token in found if token != 2])
        ours = outcome_of(convert(folder / "hf", folder, **options), ids, prompts, tokens, shape.vocabulary)
    difference, largest = float(np.abs(ours.logits - logits).max()), float(np.abs(logits).max())
    return difference, largest, ours.full == answers, ours.cached == answers


def main() -> int:
    """Compares all shapes and prints a table; returns 1 if one differs, or if one that must differ does not."""
    parser = argparse.ArgumentParser(description="Compares converted random Llamas with transformers.")
    parser.add_argument("--tokens", type=int, default=60, help="length of the greedy answers (default: %(default)s)")
    parser.add_argument(
        "--tolerance", type=float, default=1e-5, help="relative to the largest logit (default: %(default)s)"
    )
    arguments = parser.parse_args()
    use_mode("graph")
    faults = 0
    runs: list[tuple[str, Shape, dict[str, Any]]] = [(str(shape), shape, {}) for shape in SHAPES]
    runs += [
        ("half of the experts", SHAPES[0], {"routing": {"expert_sets": _HALF}}),
        ("one changed weight", SHAPES[0], {"change": True}),
    ]
    with tempfile.TemporaryDirectory() as scratch, quiet_console(Path(scratch, "log")) as console:
        console.print(f"{'model':<46}{'difference':>12}{'of up to':>9}  answers equal: without, with cache")
        for number, (name, shape, options) in enumerate(runs):
            difference, largest, full, cached = compare(shape, arguments.tokens, **options)
            is_equal = difference < arguments.tolerance * max(1, largest) and full and cached
            faults += is_equal != (number < len(SHAPES))
            console.print(
                f"{name:<46}{difference:>12.1e}{largest:>9.1f}  {'yes' if full else 'no'}, {'yes' if cached else 'no'}"
            )
        console.print(f"{faults} faults" if faults else "all as they must be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
