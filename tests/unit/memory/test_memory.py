"""Memory against numbers worked out by hand; scripts/bench/memory.py compares with what a process takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind import accounting
from scimind.accounting import ModelShape
from scimind.config import RunConfig, load_config
from scimind.memory import memory
from scimind.memory.layout import Layout

CONFIGS = Path(__file__).parents[3] / "configs"
PIPELINE = CONFIGS / "scimind_7b_finetune.yaml"
DATA = CONFIGS / "scimind_7b_finetune_910a.yaml"
MODEL = CONFIGS / "scimind_7b_finetune_910b_model4.yaml"

D, H, V, S = 4096, 11008, 32128, 2048
LAYER = 4 * D * D + 3 * D * H + 2 * D


def seven_billion(path: Path, *overrides: str) -> RunConfig:
    return load_config(path, overrides)


def test_training_on_one_card() -> None:
    alone = ["use_parallel=False", "runner_config.batch_size=1", "recompute_config={recompute: False}"]
    needed = memory(seven_billion(DATA, *alone))
    number = 32 * LAYER + D + 2 * V * D
    assert (needed.weights, needed.gradients, needed.optimizer) == (2 * number, 2 * number, 8 * number)
    # A token's layer: eight vectors of d and five of h; the logits five times: float16 once, float32 four times.
    layer = 2 * (8 * D + 5 * H)
    assert needed.activations == S * 32 * layer + S * S + S * V * (2 + 4 * 4)
    assert needed.total == 12 * number + needed.activations


def test_recomputation_keeps_each_layers_input_and_one_layer() -> None:
    alone = ["use_parallel=False", "runner_config.batch_size=3"]
    needed = memory(seven_billion(DATA, *alone))
    assert needed.activations == 3 * S * (32 * 2 * D + 2 * (8 * D + 5 * H)) + 3 * S * S + 3 * S * V * 18
    one = seven_billion(DATA, *alone, "recompute_config={recompute: [1]}")
    kept = 2 * D + 31 * 2 * (8 * D + 5 * H) + 2 * (8 * D + 5 * H)
    assert memory(one).activations == 3 * S * kept + 3 * S * S + 3 * S * V * 18
    selected = seven_billion(DATA, *alone, "recompute_config={recompute: False, select_recompute: True}")
    assert memory(selected).activations == 3 * S * 32 * 2 * (8 * D + 3 * H) + 3 * S * S + 3 * S * V * 18


def test_scores_without_flash_attention_and_a_compressed_mask() -> None:
    alone = ["use_parallel=False", "runner_config.batch_size=1"]
    flash = memory(seven_billion(DATA, *alone)).activations
    plain = memory(seven_billion(DATA, *alone, "model.model_config.use_flash_attention=False")).activations
    # Probabilities of 32 heads in float32 and float16, of the one layer that is computed again; a mask of two bytes.
    assert plain - flash == S * 32 * S * (4 + 2) + S * S
    long = ["model.model_config.seq_length=4096", "model.model_config.use_attn_mask_compression=True"]
    config = seven_billion(DATA, *alone, *long)
    assert memory(config).activations == 4096 * (32 * 2 * D + 2 * (8 * D + 5 * H) + V * 18) + 2048**2


def test_copies_share_moments_weights_and_gradients() -> None:
    number = 32 * LAYER + D + 2 * V * D
    needed = memory(seven_billion(DATA))
    assert (needed.gradients, needed.optimizer) == (2 * number // 8, number)
    assert needed.weights == 2 * number // 8 + 2 * 2 * (number // 32)  # those of two layers are gathered at a time
    keeps = memory(seven_billion(DATA, "recompute_config.parallel_optimizer_comm_recompute=False"))
    assert keeps.weights == 2 * number // 8 + 2 * number
    alone = memory(seven_billion(DATA, "parallel.enable_parallel_optimizer=False"))
    assert (alone.weights, alone.gradients, alone.optimizer) == (2 * number, 2 * number, 8 * number)


def test_stages_of_a_pipeline() -> None:
    needed = memory(seven_billion(PIPELINE))
    number = 8 * LAYER + D + V * D  # of the last stage
    assert needed.stage == 3
    assert needed.optimizer == 8 * number // 2
    assert needed.gradients == 2 * number  # micro batches add up to whole ones
    assert needed.activations == 2 * S * (8 * 2 * D + 2 * (8 * D + 5 * H)) + 2 * S * S + 2 * S * V * 18
    # Without recomputation the first stage is the fullest: it keeps four micro batches.
    first = memory(seven_billion(PIPELINE, "recompute_config={recompute: False}"))
    assert first.stage == 0
    assert first.activations == 4 * 8 * 2 * S * 2 * (8 * D + 5 * H) + 2 * S * S


def test_matrices_split_over_cards() -> None:
    needed = memory(seven_billion(MODEL, "runner_config.batch_size=1"))
    number = 32 * (4 * D * D + 3 * D * H) // 4 + 2 * D * 32 + D + 2 * (V // 4) * D
    assert needed.optimizer == 8 * number // 2
    # Everything of a token is split, with the sequence: the inputs that are kept, a layer and the logits.
    assert needed.activations == S * (32 * 2 * D // 4 + 2 * (8 * D + 5 * H) // 4 + V * 18 // 4) + S * S
    whole = memory(seven_billion(MODEL, "runner_config.batch_size=1", "parallel_config.use_seq_parallel=False"))
    assert whole.activations - needed.activations == S * 2 * 4 * D * 3 // 4  # the norms' of one layer


def test_layers_that_do_not_divide_evenly() -> None:
    uneven = ["model.model_config.num_layers=34", "model.model_config.offset=[1, 0, 0, 1]"]
    assert Layout.of(seven_billion(PIPELINE, *uneven)).layers == (9, 8, 8, 9)
    assert Layout.of(seven_billion(PIPELINE)).layers == (8, 8, 8, 8)


def test_predicting_takes_weights_cache_and_a_prompt() -> None:
    needed = memory(seven_billion(CONFIGS / "scimind_7b_predict.yaml", "generation.batch_size=2"))
    assert (needed.gradients, needed.optimizer) == (0, 0)
    assert needed.cache == 2 * 32 * 2 * S * D * 2
    assert needed.activations == 2 * S * 2 * (8 * D + 5 * H) + 2 * V * 6


def test_a_process_on_a_cpu() -> None:
    config = load_config(CONFIGS / "scimind_nano_finetune.yaml", ["runner_config.batch_size=1"])
    needed = memory(config)
    number = sum(accounting.parameters(ModelShape.of(config.model_config)).values())
    assert (needed.weights, needed.gradients, needed.optimizer) == (4 * number, 4 * number, 8 * number)
    # 160 tokens, each with 8 of 16 experts: 12 vectors of d, 2 of half the neurons, 144 keys for each of 4 heads; the
    # logits three times; and each group's part of the weights, which are all of them together.
    layer = 12 * 128 + 2 * 256 + 4 * 144
    assert needed.activations == 4 * (160 * (4 * layer + 3 * 2112) + 4 * 3 * 128 * 512)
    # What was fitted: a copy of each parameter, five vectors of d a token and layer, 140 MiB and 13 a layer.
    assert needed.runtime == 4 * number + 4 * 5 * 160 * 128 * 4 + (140 + 4 * 13) * 2**20
    masked = load_config(CONFIGS / "scimind_nano_finetune.yaml", ["model.model_config.dispatch=masked"])
    # The logits of 2,560 tokens in blocks of 2²² // 2112 rows.
    kept = 2560 * 4 * (10 * 128 + 5 * 512 + 4 * 144)
    assert memory(masked).activations == 4 * (kept + 1985 * 3 * 2112)


def test_predicting_on_a_cpu() -> None:
    path = CONFIGS / "scimind_nano_predict.yaml"
    needed = memory(load_config(path, ["generation.batch_size=2"]))
    assert needed.cache == 2 * 4 * 2 * 160 * 128 * 4
    assert memory(load_config(path, ["model.model_config.use_past=False"])).cache == 0


@pytest.mark.parametrize(
    ("path", "card"), [(path, 31 if "910b" not in path.name else 58) for path in sorted(CONFIGS.glob("scimind_7b_*"))]
)
def test_every_configuration_fits_its_card(path: Path, card: int) -> None:
    assert memory(load_config(path)).total < card * 2**30
