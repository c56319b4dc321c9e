"""Small real models for the tests of generation, and a tokenizer of single bytes."""

from __future__ import annotations

import numpy as np

from scimind.errors import TokenError


class ByteCodec:
    """A tokenizer in which each byte is a token, after pad 0, BOS 1 and EOS 2. The character § has no token."""

    bos_id, eos_id, vocab_size = 1, 2, 259

    def encode(self, text: str, *, bos: bool = True, eos: bool = False) -> list[int]:
        if "§" in text:
            position = text.index("§")
            raise TokenError(f"character '§' at position {position} has no token", "§", position)
        return [self.bos_id] * bos + [byte + 3 for byte in text.encode()] + [self.eos_id] * eos

    def decode(self, ids) -> str:
        return bytes(token - 3 for token in ids if token > 2).decode("utf-8", "replace")

    def fingerprint(self) -> str:
        return "bytes"


class ToyAttention:
    """One layer of causal attention with random weights and positions: logits depend on all previous tokens.

    It has `vocab_size` real tokens and three padding rows, which would win if they were not masked.
    """

    def __init__(self, vocab_size: int = 259, max_length: int = 96, size: int = 16, seed: int = 0) -> None:
        draw = np.random.default_rng(seed).standard_normal
        self.max_length = max_length
        self.embedding = draw((vocab_size, size))
        self.place = 0.5 * draw((max_length, size))
        self.query, self.key, self.value = (draw((size, size)) / size**0.5 for _ in range(3))
        self.head = np.concatenate([draw((size, vocab_size)), np.zeros((size, 3))], axis=1)
        self.bias = np.concatenate([np.zeros(vocab_size), np.full(3, 100.0)])
        self.bias[2] = 2.0  # EOS, so that some answers end by themselves
        self.shapes: list[tuple[int, ...]] = []

    def hidden(self, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        return self.embedding[ids] + self.place[positions]

    def attend(self, query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Returns the logits of one position from the keys and values up to it, [n, d]."""
        scores = keys @ query
        weights = np.exp(scores - scores.max())
        return (query + weights / weights.sum() @ values) @ self.head + self.bias

    def logits(self, ids: list[int]) -> np.ndarray:
        """Returns the logits of the last position of a sequence: the reference without batches and cache."""
        hidden = self.hidden(np.array(ids), np.arange(len(ids)))
        return self.attend(hidden[-1] @ self.query, hidden @ self.key, hidden @ self.value)


class FullToy(ToyAttention):
    """Computes everything anew at each step."""

    def prefill(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        self.shapes.append(ids.shape)
        self.rows = [list(row[:length]) for row, length in zip(ids, lengths, strict=True)]
        return np.stack([self.logits(row) for row in self.rows])

    def step(self, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        self.shapes.append(ids.shape)
        self.rows = [[*row[:position], token] for row, token, position in zip(self.rows, ids, positions, strict=True)]
        return np.stack([self.logits(row) for row in self.rows])


class CachedToy(ToyAttention):
    """Keeps keys and values in arrays of fixed shape, which start as garbage so that reading too far shows."""

    def prefill(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        self.shapes.append(ids.shape)
        size = self.query.shape[0]
        self.keys = np.full((len(ids), self.max_length, size), 1e3)
        self.values = np.full((len(ids), self.max_length, size), 1e3)
        hidden = self.hidden(ids, np.arange(ids.shape[1]))
        self.keys[:, : ids.shape[1]], self.values[:, : ids.shape[1]] = hidden @ self.key, hidden @ self.value
        return self._read(hidden[np.arange(len(ids)), lengths - 1], lengths - 1)

    def step(self, ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
        self.shapes.append(ids.shape)
        hidden = self.hidden(ids, positions)
        rows = np.arange(len(ids))
        self.keys[rows, positions], self.values[rows, positions] = hidden @ self.key, hidden @ self.value
        return self._read(hidden, positions)

    def _read(self, hidden: np.ndarray, positions: np.ndarray) -> np.ndarray:
        queries = hidden @ self.query
        return np.stack(
            [
                self.attend(queries[row], self.keys[row, : p + 1], self.values[row, : p + 1])
                for row, p in enumerate(positions)
            ]
        )


class DraftingToy(CachedToy):
    """Also drafts, drops and repeats rows, and copies what it has read from row to row, in fixed numbers of steps."""

    most_steps = 5

    def keep(self, rows) -> None:
        self.keys, self.values = self.keys[list(rows)].copy(), self.values[list(rows)].copy()

    def copy_rows(self, sources, start: int, stop: int) -> None:
        to, of = list(sources), list(sources.values())
        self.keys[to, start:stop], self.values[to, start:stop] = self.keys[of, start:stop], self.values[of, start:stop]

    def read(self, ids: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        self.shapes.append(ids.shape)
        hidden = self.hidden(ids, np.arange(ids.shape[1]))
        logits = np.stack([self.logits(row[:length]) for row, length in zip(ids.tolist(), lengths, strict=True)])
        return logits, [(hidden @ self.key)[:, None], (hidden @ self.value)[:, None]]

    def begin(self, rows: int) -> None:
        self.keys = np.full((rows, self.max_length, len(self.key)), 1e3)
        self.values = self.keys.copy()

    def load(self, row: int, contents) -> None:
        number = contents[0].shape[1]
        self.keys[row, :number], self.values[row, :number] = contents[0][0], contents[1][0]

    def greedy(self, ids, positions, alive, **settings):
        return self.scored_greedy(ids, positions, alive, **settings)[0]

    def scored_greedy(
        self, ids, positions, alive, *, steps, fewest, eos_id, vocab_size, never=(), candidates=(), forced=None
    ):
        ids, positions, alive = ids.copy(), positions.copy(), alive.copy()
        tokens, scores, others = [], [], []
        for number in range(min(steps, self.most_steps)):
            raw = self.step(ids, positions)
            real = raw[:, :vocab_size]
            log_probs = real - np.log(np.exp(real).sum(1, keepdims=True))
            allowed = log_probs.copy()
            allowed[:, list(never)] = -np.inf
            ids = allowed.argmax(1).astype(np.int32)
            if forced is not None and number < len(forced):
                ids = np.where(forced[number] >= 0, forced[number], ids)
            tokens.append(ids)
            scores.append(log_probs[np.arange(len(ids)), ids])
            others.append(log_probs[:, list(candidates) or [eos_id]].T)
            positions = positions + alive
            alive &= ids != eos_id
            if alive.sum() <= fewest or positions[alive].max(initial=0) >= self.max_length:
                break
        return np.stack(tokens).astype(np.int32), np.stack(scores), np.stack(others)
