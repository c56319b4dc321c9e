"""Memory of a card against numbers worked out by hand from what MindFormers and MindSpore keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.config import RunConfig, load_config
from scimind.memory import estimate_memory

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
    needed = estimate_memory(seven_billion(DATA, *alone))
    number = 32 * LAYER + D + 2 * V * D
    assert (needed.weights, needed.gradients, needed.optimizer) == (2 * number, 2 * number, 8 * number)
    # Per token and layer: eight vectors of d and five of h; logits five times: float16 once, float32 four times.
    layer = 2 * (8 * D + 5 * H)
    assert needed.activations == S * 32 * layer + S * S + S * V * (2 + 4 * 4)
    assert needed.total == 12 * number + needed.activations


def test_recomputation_keeps_each_layers_input_and_one_layer() -> None:
    alone = ["use_parallel=False", "runner_config.batch_size=3"]
    needed = estimate_memory(seven_billion(DATA, *alone))
    assert needed.activations == 3 * S * (32 * 2 * D + 2 * (8 * D + 5 * H)) + 3 * S * S + 3 * S * V * 18
    one = seven_billion(DATA, *alone, "recompute_config={recompute: [1]}")
    kept = 2 * D + 31 * 2 * (8 * D + 5 * H) + 2 * (8 * D + 5 * H)
    assert estimate_memory(one).activations == 3 * S * kept + 3 * S * S + 3 * S * V * 18
    selected = seven_billion(DATA, *alone, "recompute_config={recompute: False, select_recompute: True}")
    assert estimate_memory(selected).activations == 3 * S * 32 * 2 * (8 * D + 3 * H) + 3 * S * S + 3 * S * V * 18


def test_scores_without_flash_attention_and_a_compressed_mask() -> None:
    alone = ["use_parallel=False", "runner_config.batch_size=1"]
    flash = estimate_memory(seven_billion(DATA, *alone)).activations
    plain = estimate_memory(seven_billion(DATA, *alone, "model.model_config.use_flash_attention=False")).activations
    # Probabilities of 32 heads in float32 and float16, for the one layer that is recomputed; a mask of two bytes.
    assert plain - flash == S * 32 * S * (4 + 2) + S * S
    long = ["model.model_config.seq_length=4096", "model.model_config.use_attn_mask_compression=True"]
    config = seven_billion(DATA, *alone, *long)
    assert estimate_memory(config).activations == 4096 * (32 * 2 * D + 2 * (8 * D + 5 * H) + V * 18) + 2048**2


def test_copies_share_moments_weights_and_gradients() -> None:
    number = 32 * LAYER + D + 2 * V * D
    needed = estimate_memory(seven_billion(DATA))
    assert (needed.gradients, needed.optimizer) == (2 * number // 8, number)
    assert needed.weights == 2 * number // 8 + 2 * 2 * (number // 32)  # two layers are gathered at a time
    keeps = estimate_memory(seven_billion(DATA, "recompute_config.parallel_optimizer_comm_recompute=False"))
    assert keeps.weights == 2 * number // 8 + 2 * number
    alone = estimate_memory(seven_billion(DATA, "parallel.enable_parallel_optimizer=False"))
    assert (alone.weights, alone.gradients, alone.optimizer) == (2 * number, 2 * number, 8 * number)


def test_stages_of_a_pipeline() -> None:
    needed = estimate_memory(seven_billion(PIPELINE))
    number = 8 * LAYER + D + V * D  # on the last stage
    assert needed.stage == 3
    assert needed.optimizer == 8 * number // 2
    assert needed.gradients == 2 * number  # micro batches accumulate unsharded gradients
    assert needed.activations == 2 * S * (8 * 2 * D + 2 * (8 * D + 5 * H)) + 2 * S * S + 2 * S * V * 18
    # Without recomputation the first stage is the fullest: it keeps four micro batches.
    first = estimate_memory(seven_billion(PIPELINE, "recompute_config={recompute: False}"))
    assert first.stage == 0
    assert first.activations == 4 * 8 * 2 * S * 2 * (8 * D + 5 * H) + 2 * S * S


def test_matrices_split_over_cards() -> None:
    needed = estimate_memory(seven_billion(MODEL, "runner_config.batch_size=1"))
    number = 32 * (4 * D * D + 3 * D * H) // 4 + 2 * D * 32 + D + 2 * (V // 4) * D
    assert needed.optimizer == 8 * number // 2
    # Everything of a token is split along with the sequence: the inputs that are kept, a layer and the logits.
    assert needed.activations == S * (32 * 2 * D // 4 + 2 * (8 * D + 5 * H) // 4 + V * 18 // 4) + S * S
    whole = estimate_memory(
        seven_billion(MODEL, "runner_config.batch_size=1", "parallel_config.use_seq_parallel=False")
    )
    assert whole.activations - needed.activations == S * 2 * 4 * D * 3 // 4  # the norms of one layer


def test_predicting_needs_weights_a_cache_and_prompts() -> None:
    path = CONFIGS / "scimind_7b_predict.yaml"
    one, two = (estimate_memory(seven_billion(path, f"generation.batch_size={rows}")) for rows in (1, 2))
    assert (one.gradients, one.optimizer) == (0, 0)
    assert one.weights == two.weights
    assert one.cache == 32 * 2 * S * D * 2  # keys and values of every layer, in float16
    assert (two.cache, two.activations) == (2 * one.cache, 2 * one.activations)
    assert estimate_memory(seven_billion(path, "model.model_config.use_past=False")).cache == 0


@pytest.mark.parametrize("path", [DATA, PIPELINE, MODEL], ids=lambda path: path.stem)
def test_more_of_anything_needs_more_memory(path: Path) -> None:
    before = estimate_memory(seven_billion(path, "runner_config.batch_size=1"))
    for more in ("runner_config.batch_size=2", "model.model_config.seq_length=4096"):
        after = estimate_memory(seven_billion(path, "runner_config.batch_size=1", more))
        assert after.activations > before.activations, more
        assert (after.weights, after.gradients, after.optimizer) == (
            before.weights,
            before.gradients,
            before.optimizer,
        ), more
    layers = estimate_memory(seven_billion(path, "runner_config.batch_size=1", "model.model_config.num_layers=40"))
    for component in ("weights", "gradients", "optimizer", "activations"):
        assert getattr(layers, component) > getattr(before, component), component


@pytest.mark.parametrize(
    ("path", "card"), [(path, 31 if "910b" not in path.name else 58) for path in sorted(CONFIGS.glob("scimind_7b_*"))]
)
def test_every_configuration_fits_its_card(path: Path, card: int) -> None:
    assert estimate_memory(load_config(path)).total < card * 2**30
