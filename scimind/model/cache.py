"""Attention with a key and value cache of static shape, for devices without PagedAttention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mindspore import Parameter, Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import functional as F
from mindspore.ops import operations as P

_HIDDEN = -10000.0  # what MindFormers' causal mask adds where a position may not look


class StaticCache(nn.Cell):
    """Keys and values of the tokens seen so far.

    Args:
        rows: b·kv heads.
        seq_length: Longest sequence.
        head_dim: Size of a head.
        compute_dtype: Type of the cache.
    """

    def __init__(self, rows: int, seq_length: int, head_dim: int, compute_dtype: mstype) -> None:
        super().__init__()
        shape = (rows, seq_length, head_dim)
        self.key_cache = Parameter(Tensor(np.zeros(shape), compute_dtype), name="key_cache", requires_grad=False)
        self.value_cache = Parameter(Tensor(np.zeros(shape), compute_dtype), name="value_cache", requires_grad=False)


class StaticCacheAttention(nn.Cell):
    """Attention over a static cache, behind the interface of MindFormers' InferAttention.

    Row i of the batch owns row i of the cache; a batch is at most as large as the cache's. The first iteration fills
    the cache from the whole prompt, right-padded; each later one appends one token a row at its own position.

    Args:
        num_heads: Query heads.
        num_kv_heads: Key and value heads.
        head_dim: Size of a head.
        batch_size: b of the cache.
        seq_length: Longest sequence, prompt and answer together.
        compute_dtype: Type of the products.
    """

    def __init__(
        self,
        *,
        num_heads: int,
        num_kv_heads: int,
        head_dim: int,
        batch_size: int,
        seq_length: int,
        compute_dtype: mstype,
    ) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim
        self.repeats = num_heads // num_kv_heads
        self.seq_length = seq_length
        self.dtype = compute_dtype
        self.is_first_iteration = True
        # Under the name where MindFormers looks for a cache (`kvcache`, `add_flags_custom`).
        self.paged_attention_mgr = StaticCache(batch_size * num_kv_heads, seq_length, head_dim, compute_dtype)
        self.scale = Tensor(1.0 / math.sqrt(head_dim), compute_dtype)
        self.row_numbers = Tensor(np.arange(batch_size * num_kv_heads)[:, None], mstype.int32)
        self.columns = Tensor(np.arange(seq_length)[None, :], mstype.int32)
        self.reshape = P.Reshape()
        self.transpose = P.Transpose()
        self.cast = P.Cast()
        self.concat = P.Concat(-1)
        self.softmax = P.Softmax()
        self.scores = P.BatchMatMul(transpose_b=True)
        self.values = P.BatchMatMul()
        self.assign = P.Assign()
        self.update = P.ScatterNdUpdate()
        self.tile = P.Tile()

    def construct(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        batch_valid_length: Tensor,
        block_tables: Any,
        slot_mapping: Any,
        freqs_cis: tuple,
        attn_mask: Tensor = None,
        alibi_mask: Any = None,
        prefix_keys_values: Any = None,
        q_seq_lens: Any = None,
        key_cache: Any = None,
        value_cache: Any = None,
    ) -> Tensor:
        """Returns the attention's output [b, s, heads·head_dim].

        Args:
            query: [b, s, heads·head_dim], not yet rotated.
            key: [b, s, kv heads·head_dim], not yet rotated.
            value: [b, s, kv heads·head_dim].
            batch_valid_length: Length of each row, this step's token included, [b] int32.
            block_tables: Not used: a row's place is fixed.
            slot_mapping: Not used.
            freqs_cis: Rotary cosines and sines [b·s, head_dim], as FreqsMgr.prefill and .increment give them.
            attn_mask: Added to the scores [b, 1, s, s]; first iteration only.
            alibi_mask: Not used.
            prefix_keys_values: Not used.
            q_seq_lens: Not used.
            key_cache: Not used.
            value_cache: Not used.
        """
        b, s, _ = query.shape
        cosines = self.reshape(freqs_cis[0], (b, s, 1, self.head_dim))
        sines = self.reshape(freqs_cis[1], (b, s, 1, self.head_dim))
        query = self._rotate(self.reshape(query, (b, s, self.num_heads, self.head_dim)), cosines, sines)
        key = self._rotate(self.reshape(key, (b, s, self.num_kv_heads, self.head_dim)), cosines, sines)
        value = self.reshape(value, (b, s, self.num_kv_heads, self.head_dim))
        if self.is_first_iteration:
            return self._prefill(query, key, value, attn_mask)
        return self._step(query, key, value, batch_valid_length)

    def _rotate(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Returns x [b, s, n, head_dim] with its rotary position embedding (RoFormer, equation 34)."""
        half = self.head_dim // 2
        turned = self.concat((-x[..., half:], x[..., :half]))
        return self.cast(x * cosines + turned * sines, self.dtype)

    def _prefill(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        b, s = query.shape[0], query.shape[1]
        rows = b * self.num_kv_heads
        key = self.reshape(self.transpose(key, (0, 2, 1, 3)), (rows, s, self.head_dim))
        value = self.reshape(self.transpose(value, (0, 2, 1, 3)), (rows, s, self.head_dim))
        stored = (
            self._store(self.paged_attention_mgr.key_cache, key),
            self._store(self.paged_attention_mgr.value_cache, value),
        )
        # [b, s, heads, head_dim] -> [rows, repeats·s, head_dim]: the queries that share a key sit in one product.
        query = self.reshape(self.transpose(query, (0, 2, 1, 3)), (rows, self.repeats * s, self.head_dim))
        scores = self.scores(query, key) * self.scale  # [rows, repeats·s, s]
        scores = self.reshape(scores, (b, self.num_heads, s, s)) + mask
        probabilities = self.softmax(self.cast(scores, mstype.float32))
        probabilities = self.reshape(self.cast(probabilities, self.dtype), (rows, self.repeats * s, s))
        out = self.reshape(self.values(probabilities, value), (b, self.num_heads, s, self.head_dim))
        out = self.reshape(self.transpose(out, (0, 2, 1, 3)), (b, s, self.num_heads * self.head_dim))
        return F.depend(out, stored)

    def _store(self, cache: Parameter, new: Tensor) -> Tensor:
        """Writes `new` [rows, s, head_dim] at the beginning of `cache`; what lies behind is never looked at."""
        free = cache.shape[1] - new.shape[1]
        if free:
            new = P.Concat(1)((new, P.Zeros()((new.shape[0], free, self.head_dim), self.dtype)))
        missing = cache.shape[0] - new.shape[0]
        if missing:
            new = P.Concat(0)((new, P.Zeros()((missing, cache.shape[1], self.head_dim), self.dtype)))
        return self.assign(cache, new)

    def _step(self, query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
        b = query.shape[0]
        rows = b * self.num_kv_heads
        length = self.reshape(self.tile(self.reshape(lengths, (b, 1)), (1, self.num_kv_heads)), (rows, 1))  # [rows, 1]
        place = self.concat((self.row_numbers[:rows], length - 1))  # [rows, 2]
        keys = self.update(self.paged_attention_mgr.key_cache, place, self.reshape(key, (rows, self.head_dim)))
        values = self.update(self.paged_attention_mgr.value_cache, place, self.reshape(value, (rows, self.head_dim)))
        if rows < keys.shape[0]:
            keys, values = keys[:rows], values[:rows]
        query = self.reshape(query, (rows, self.repeats, self.head_dim))
        scores = self.cast(self.scores(query, keys) * self.scale, mstype.float32)  # [rows, repeats, seq_length]
        hidden = self.cast(self.columns >= length, mstype.float32) * _HIDDEN  # [rows, seq_length]
        probabilities = self.softmax(scores + self.reshape(hidden, (rows, 1, self.seq_length)))
        out = self.values(self.cast(probabilities, self.dtype), values)  # [rows, repeats, head_dim]
        return self.reshape(out, (b, 1, self.num_heads * self.head_dim))
