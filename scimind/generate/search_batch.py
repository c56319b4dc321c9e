"""The searches of a batch of prompts, which share a decoder: it answers what all of them ask in common steps.

Shapes: b rows of the batch, v vocabulary.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import starmap
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scimind.generate.buckets import batch_buckets, bucket_for, length_buckets
from scimind.generate.choices import log_probabilities
from scimind.generate.decoders.protocols import CopyingDecoder, Decoder, GreedyDecoder
from scimind.generate.loop import pad_prompts
from scimind.generate.search.model import Ask, Draft, Drafted, NotFinite, Prefix, Search
from scimind.generate.search_rows import Row, Running, Writing

T = TypeVar("T")

_SHRINKING = 4  # the batch shrinks to a quarter: each size costs graphs
_MOST_CANDIDATES = 256  # tokens whose log-probabilities are kept at each place of a draft


class SearchBatch:
    """Answers what searches ask, with a decoder that holds a few rows for each prompt.

    Args:
        decoder: The model.
        width: Rows for each prompt: how many prefixes a search asks for at a time, at most.
        vocab_size: Number of real tokens.
        tokens: The tokens that a draft may contain, without EOS.
        eos_id: The token that ends an answer.
        never: Tokens that are never generated.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        width: int,
        vocab_size: int,
        tokens: Sequence[int] | None,
        eos_id: int,
        never: Sequence[int] = (),
    ) -> None:
        self._decoder, self._width, self._vocab_size = decoder, width, vocab_size
        self._eos_id, self._never = eos_id, list(never)
        allowed = np.zeros(vocab_size, bool) if tokens is not None else np.ones(vocab_size, bool)
        allowed[[*(tokens or ()), eos_id]] = True
        allowed[self._never] = False
        self._refused = np.flatnonzero(~allowed).tolist()
        few = tokens is not None and len(tokens) <= _MOST_CANDIDATES
        self._candidates = sorted({*(tokens or ()), eos_id}) if few else []
        self._rows: list[Row] = []

    def run(
        self,
        prompts: Sequence[Sequence[int]],
        searches: Sequence[Search[T]],
        prompt_rows: int,
        *,
        on_step: Callable[[int], None] | None = None,
        on_end: Callable[[int], None] | None = None,
    ) -> list[T | NotFinite]:
        """Returns what each search finds, or why the model cannot be searched.

        With one row for each prompt, once half of a batch has ended, the others wait for the next one, so that a few
        long searches do not keep all rows. They continue where they were: the decoder reads their tokens again. With
        several rows that would take longer than it saves.

        Args:
            prompts: Tokens of each prompt, none empty.
            searches: The search of each prompt.
            prompt_rows: Number of prompts in a batch.
            on_step: Called after each call of the decoder with the number of tokens that were read.
            on_end: Called with the number of searches that have ended since the previous call.
        """
        self._on_step = on_step or (lambda tokens: None)
        results: list[Any] = [None] * len(searches)
        pairs = zip(searches, prompts, strict=True)
        waiting = deque(Running(search, number, prompt) for number, (search, prompt) in enumerate(pairs))
        while waiting:
            running = [waiting.popleft() for _ in range(min(prompt_rows, len(waiting)))]
            least = len(running) // 2 if waiting and self._width == 1 else 0
            self._read(running, prompt_rows)
            running = self._advance([(one, None) for one in running if one.asked is None], running, results)
            while len(running) > least:
                before = len(running)
                self._shrink(running)
                asking = [one for one in running if isinstance(one.asked, Ask)]
                if asking:
                    self._answer(asking)
                    answered: list[tuple[Running[T], Any]] = [(one, one.replies) for one in asking if not one.open]
                else:
                    answered = list(zip(running, self._draft(running), strict=True))
                running = self._advance(answered, running, results)
                if on_end is not None and len(running) < before:
                    on_end(before - len(running))
            waiting.extend(running)
        return results

    @staticmethod
    def _advance(
        answered: Sequence[tuple[Running[T], Any]], running: Sequence[Running[T]], results: list[Any]
    ) -> list[Running[T]]:
        """Gives searches their replies, keeps the results of those that end, and returns the others."""
        ended: set[int] = set()
        for one, reply in answered:
            try:
                one.go_on(reply)
            except StopIteration as end:
                results[one.number] = end.value
                ended.add(one.number)
            except NotFinite as error:
                results[one.number] = error
                ended.add(one.number)
        return [one for one in running if one.number not in ended]

    def _read(self, running: Sequence[Running[Any]], prompt_rows: int) -> None:
        """Lets the decoder read the prompts, each into its rows."""
        decoder, width = self._decoder, self._width
        prompts = [one.prompt for one in running]
        shares = isinstance(decoder, GreedyDecoder)
        repeated = prompts if shares else [prompt for prompt in prompts for _ in range(width)]
        number = prompt_rows if shares else prompt_rows * width
        ids, lengths = pad_prompts(repeated, number, length_buckets(decoder.max_length))
        decoder.prefill(ids, lengths)
        if isinstance(decoder, GreedyDecoder) and width > 1:
            decoder.keep(np.repeat(np.arange(prompt_rows), width))
        padding = [[int(ids[0, 0])]] * (prompt_rows - len(prompts))
        self._rows = [Row(prompt) for prompt in (*prompts, *padding) for _ in range(width)]
        for place, one in enumerate(running):
            one.rows = range(place * width, (place + 1) * width)

    def _shrink(self, running: Sequence[Running[Any]]) -> None:
        """Drops the rows of searches that have ended once those of the others fit into a quarter of the batch."""
        rows = len(self._rows) // _SHRINKING
        while rows >= _SHRINKING * len(running) * self._width:
            rows //= _SHRINKING
        if not isinstance(self._decoder, GreedyDecoder) or len(running) * self._width > rows:
            return
        kept = [row for one in running for row in one.rows]
        kept += [row for row in range(len(self._rows)) if row not in kept][: rows - len(kept)]
        self._decoder.keep(kept)
        self._rows = [self._rows[row] for row in kept]
        for place, one in enumerate(running):
            one.rows = range(place * self._width, (place + 1) * self._width)

    def _answer(self, asking: Sequence[Running[Any]]) -> None:
        """Answers at most `width` prefixes of each search."""
        wanted: dict[int, tuple[Running[Any], int]] = {}  # the row, the search and the place of its prefix
        sources: dict[int, int] = {}
        for one in asking:
            places = one.open[: self._width]
            rows = self._assign([one.prefixes[place] for place in places], one.rows, sources)
            wanted |= {row: (one, place) for row, place in zip(rows, places, strict=True)}
        self._copy(sources)
        left = {row: self._rows[row].missing(one.prefixes[place]) for row, (one, place) in wanted.items()}
        while left:
            ids, positions = self._idle()
            for row, missing in left.items():
                one, place = wanted[row]
                prefix = one.prefixes[place]
                at = len(prefix) - missing
                ids[row] = self._rows[row].token_at(prefix, at)
                positions[row] = len(self._rows[row].prompt) + at
                self._rows[row].held = prefix[: at + 1]
            # A decoder needs fewer experts if all tokens are of one modality.
            ids[[row for row in range(len(ids)) if row not in left]] = ids[min(left)]
            logits = self._decoder.step(ids, positions)
            self._on_step(len(left))
            ended = [row for row, missing in left.items() if missing == 1]
            if ended:
                log_probs = log_probabilities(np.asarray(logits)[ended], self._vocab_size)
                log_probs[:, self._never] = -np.inf
                for row, values in zip(ended, log_probs, strict=True):
                    one, place = wanted[row]
                    one.replies[place] = values
            left = {row: missing - 1 for row, missing in left.items() if missing > 1}

    def _draft(self, drafting: Sequence[Running[Any]]) -> list[list[Drafted]]:
        """Returns the drafts of searches, none if the decoder does not draft."""
        decoder = self._decoder
        if not isinstance(decoder, GreedyDecoder):
            return [[] for _ in drafting]
        sources: dict[int, int] = {}
        rows = [self._assign(one.prefixes, one.rows, sources)[0] for one in drafting]
        self._copy(sources)
        drafts = {row: self._start(row, one) for row, one in zip(rows, drafting, strict=True)}
        writing = dict(drafts)
        while writing:
            ids, positions = self._idle()
            forced = np.full((max(len(draft.forced) for draft in writing.values()), len(ids)), -1, np.int32)
            for row, draft in writing.items():
                ids[row], positions[row] = draft.newest, draft.position
                forced[: len(draft.forced), row] = draft.forced
            tokens, log_probs, others = decoder.scored_greedy(
                ids,
                positions,
                np.isin(np.arange(len(ids)), list(writing)),
                steps=max(draft.left for draft in writing.values()),
                fewest=0,
                eos_id=self._eos_id,
                vocab_size=self._vocab_size,
                never=self._refused,
                candidates=self._candidates,
                forced=forced,
            )
            made = 0
            for row, draft in list(writing.items()):
                known = others[:, :, row].copy() if self._candidates else [None] * len(tokens)
                steps = zip(tokens[:, row].tolist(), log_probs[:, row].tolist(), known, strict=True)
                made += draft.take(list(starmap(Drafted, steps)), self._eos_id)
                if draft.is_done or draft.position >= decoder.max_length:
                    del writing[row]
            self._on_step(made)
        return [draft.draft for draft in drafts.values()]

    def _start(self, row: int, one: Running[Any]) -> Writing:
        """Returns a draft that has not begun."""
        assert isinstance(one.asked, Draft)
        prefix = one.asked.prefix
        place = len(prefix) - self._rows[row].missing(prefix)
        self._rows[row].held = prefix[: max(place, 0)]
        return Writing(self._rows[row], list(prefix), len(prefix), place, one.asked.most)

    def _assign(self, prefixes: Sequence[Prefix], rows: range, sources: dict[int, int]) -> list[int]:
        """Returns a row for each prefix, preferably one that holds it; adds rows to be copied to `sources`."""
        if self._width == 1:
            return [rows[0]]
        holding = {self._rows[row].held: row for row in rows}
        chosen = [holding.pop(prefix[:-1], None) for prefix in prefixes]
        free = [row for row in rows if row not in chosen]
        for place, prefix in enumerate(prefixes):
            if chosen[place] is not None:
                continue
            missing = {row: self._rows[row].missing(prefix) for row in rows}
            row = min(free, key=lambda one: (missing[one], one))
            source = min(rows, key=lambda one: (missing[one], one))
            if missing[source] < missing[row]:
                sources[row] = source
            free.remove(row)
            chosen[place] = row
        return [row for row in chosen if row is not None]

    def _copy(self, sources: dict[int, int]) -> None:
        """Copies rows of the decoder, if it can."""
        if not sources or not isinstance(self._decoder, CopyingDecoder):
            return
        start = min(len(self._rows[row].prompt) for row in sources)
        stop = max(len(self._rows[row].prompt) + len(self._rows[row].held) for row in sources.values())
        self._decoder.copy_rows(sources, start, stop)
        held = {row: self._rows[source].held for row, source in sources.items()}
        for row, tokens in held.items():
            self._rows[row].held = tokens

    def _idle(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Returns tokens [b] and positions [b] for rows that read nothing: what they overwrite is not held any more."""
        most = self._decoder.max_length - 1
        positions = np.array([min(len(row.prompt) + len(row.held), most) for row in self._rows], np.int32)
        for row, position in zip(self._rows, positions.tolist(), strict=True):
            row.held = row.held[: position - len(row.prompt)]
        return np.array([row.prompt[-1] for row in self._rows], np.int32), positions


def rows_for(prompts: int, batch_size: int) -> int:
    """Returns the number of prompts that a decoder is run with: a power of two of at least their number."""
    return bucket_for(prompts, batch_buckets(batch_size))
