"""A converted model is the model that came in: logits and greedy answers of random Llamas, against numpy.

`scripts/compare_llamas.py` compares all shapes with transformers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support import numpy_llama, tolerances
from tests.support.models import use_mode
from tests.support.random_llamas import SHAPES, convert, draw, numpy_answer, outcome_of, some_input

HALVES = {"text": ["0..1"], "smiles": ["2..3"], "nucleotide": ["2..3"], "protein": ["2..3"]}
TOKENS = 6


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
def test_a_converted_llama_answers_as_before(tmp_path: Path, shape) -> None:
    use_mode("graph")
    weights, config = draw(shape, tmp_path / "hf")
    ids, prompts = some_input(shape)
    found = outcome_of(convert(tmp_path / "hf", tmp_path), ids, prompts, TOKENS, shape.vocabulary, mode=1)
    assert np.abs(found.logits - numpy_llama.logits(weights, config, ids)).max() < tolerances.SAME_MATH
    wanted = [numpy_answer(weights, config, prompt, TOKENS) for prompt in prompts]
    assert found.full == wanted
    assert found.cached == wanted


def test_half_of_the_experts_or_one_weight_is_noticed(tmp_path: Path) -> None:
    use_mode("graph")
    shape = SHAPES[0]
    weights, config = draw(shape, tmp_path / "hf")
    ids, prompts = some_input(shape)
    folder = convert(tmp_path / "hf", tmp_path, routing={"expert_sets": HALVES})
    found = outcome_of(folder, ids, prompts, TOKENS, shape.vocabulary, mode=1, with_cache=False)
    right = numpy_llama.logits(weights, config, ids)
    wanted = [numpy_answer(weights, config, prompt, TOKENS) for prompt in prompts]
    assert np.abs(found.logits - right).max() > 100 * tolerances.SAME_MATH
    assert found.full != wanted
    weights["model.layers.1.mlp.down_proj.weight"][3, 4] += 0.1
    assert np.abs(numpy_llama.logits(weights, config, ids) - right).max() > 10 * tolerances.SAME_MATH
