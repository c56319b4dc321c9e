"""`SciMindForCausalLM.generate` on a CPU."""

from __future__ import annotations

import numpy as np
import pytest

from scimind.errors import SciMindError
from tests.support.models import build, use_mode


@pytest.mark.parametrize("use_past", [True, False])
def test_generate_returns_prompt_and_answer(use_past):
    use_mode("pynative")
    model = build(use_past=use_past, num_layers=1)
    prompts = [[1, 5, 45, 46], [1, 9], [1, 50, 51, 8, 7]]
    answered = model.generate(prompts, max_new_tokens=4)
    assert len(answered) == 3
    for prompt, ids in zip(prompts, answered, strict=True):
        assert ids[: len(prompt)].tolist() == prompt
        assert len(ids) == len(prompt) + 4 or ids[-1] == model.config.eos_token_id
        assert ids.max() < model.config.real_vocab_size
    padded = np.array([[1, 5, 45, 46, 0], [1, 9, 0, 0, 0], [1, 50, 51, 8, 7]])
    assert [a.tolist() for a in model.generate(padded, max_new_tokens=4)] == [a.tolist() for a in answered]
    assert model.generate(prompts[1], max_new_tokens=4)[0].tolist() == answered[1].tolist()


def test_generate_names_the_fault():
    use_mode("pynative")
    model = build()
    with pytest.raises(SciMindError, match="max_new_tokens"):
        model.generate([1, 2], max_new_tokens=-1)
    with pytest.raises(SciMindError, match="top_kk"):
        model.generate([1, 2], top_kk=1)
    with pytest.raises(SciMindError, match="seq_length"):
        model.generate([[1] * 16])
