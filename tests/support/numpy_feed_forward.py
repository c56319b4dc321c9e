"""The routed feed-forward layer in float64 numpy with plain loops: an independent twin of `scimind.model`."""

from __future__ import annotations

import numpy as np

NAMES = ("text", "smiles", "nucleotide", "protein")


def modality(token: int, ranges: dict) -> str:
    """Returns the modality of one token."""
    for name, (start, stop) in ranges.items():
        if start <= token < stop:
            return name
    return "text"


def active_experts(token: int, u: np.ndarray, settings: dict, gate_score: np.ndarray | None = None) -> set[int]:
    """Returns the experts that `token` uses; `u` [h] are its neurons, `gate_score` [e] is router learned's."""
    of = modality(token, settings["modality_ranges"])
    if settings["router"] == "modality":
        return set(settings["expert_sets"][of])
    parts = u.reshape(settings["num_experts"], -1).astype(np.float32)
    parts = {"sum": parts, "abs": abs(parts), "square": parts**2}[settings["score"]]
    score = [float(part.sum(dtype=np.float32)) for part in parts]
    if settings["router"] == "learned":
        score = [float(value) for value in gate_score]
    best = sorted(range(len(score)), key=lambda e: (-score[e], e))[: settings["experts_per_token"][of]]
    return set(best) | set(settings["shared_experts"][of])


def feed_forward(
    x: np.ndarray, ids: np.ndarray, w1: np.ndarray, w3: np.ndarray, w2: np.ndarray, settings: dict, wg=None
):
    """Returns y [t, d] and the active experts of each token, for x [t, d], ids [t] and the gate `wg` [e, d]."""
    y, used = np.zeros_like(x, float), []
    size = len(w1) // settings["num_experts"]
    for i, token in enumerate(ids):
        gate, up = w1.astype(float) @ x[i], w3.astype(float) @ x[i]
        u = gate / (1 + np.exp(-gate)) * up
        used.append(active_experts(int(token), u, settings, None if wg is None else wg.astype(float) @ x[i]))
        for e in used[-1]:
            span = slice(e * size, (e + 1) * size)
            y[i] += w2[:, span].astype(float) @ u[span]
    return y, used
