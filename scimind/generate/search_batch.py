"""The searches of many prompts, which share the rows of a decoder: as one ends, the next prompt takes its rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, TypeVar

from numpy.typing import NDArray

from scimind.generate.buckets import batch_buckets, bucket_for, length_buckets
from scimind.generate.decoders.protocols import Decoder, GreedyDecoder, LoadingDecoder
from scimind.generate.loop import pad_prompts
from scimind.generate.search.model import NotFinite, Search
from scimind.generate.search_replies import SearchReplies
from scimind.generate.search_rows import Row, Running

T = TypeVar("T")

_SHRINKING = 4  # the batch shrinks to a quarter: each size costs graphs


class SearchBatch:
    """Runs searches with a decoder that holds a few rows for each prompt.

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
        self._decoder, self._width = decoder, width
        self._replies = SearchReplies(
            decoder, width=width, vocab_size=vocab_size, tokens=tokens, eos_id=eos_id, never=never
        )

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

        Args:
            prompts: Tokens of each prompt, none empty.
            searches: The search of each prompt.
            prompt_rows: Number of prompts whose searches run at the same time.
            on_step: Called after each call of the decoder with the number of tokens that were read.
            on_end: Called with the number of searches that have ended since the previous call.
        """
        if on_step is not None:
            self._replies.on_step = on_step
        results: list[Any] = [None] * len(searches)
        pairs = zip(searches, prompts, strict=True)
        waiting = deque(Running(search, number, prompt) for number, (search, prompt) in enumerate(pairs))
        running: list[Running[T]] = []
        places = _Places(self._decoder, self._replies, self._width, prompt_rows)
        while waiting or running:
            entered = places.enter(waiting, running)
            answered: list[tuple[Running[T], Any]] = [(one, None) for one in entered]
            running += entered
            before = len(running)
            running = self._advance(answered, running, results)
            if running:
                if not waiting:
                    places.shrink(running)
                running = self._advance(self._replies.replies(running), running, results)
            if on_end is not None and len(running) < before:
                on_end(before - len(running))
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


class _Places:
    """The rows of a decoder, which are given to prompts.

    Args:
        decoder: The model.
        replies: Knows what the rows hold.
        width: Rows of each prompt.
        prompt_rows: Number of prompts.
    """

    def __init__(self, decoder: Decoder, replies: SearchReplies, width: int, prompt_rows: int) -> None:
        self._decoder, self._replies, self._width, self._prompt_rows = decoder, replies, width, prompt_rows
        # What the decoder has read, by the prompt's number: logits of the next token, and what it loads.
        self._read: dict[int, tuple[NDArray, Sequence[NDArray]]] = {}
        self._replies.rows = []

    def enter(self, waiting: deque[Running[T]], running: Sequence[Running[T]]) -> list[Running[T]]:
        """Gives free rows to searches that wait; one whose decoder cannot load prompts waits for all rows."""
        rows, width = self._replies.rows, self._width
        if not isinstance(self._decoder, LoadingDecoder):
            entered = [waiting.popleft() for _ in range(min(self._prompt_rows, len(waiting)))] if not running else []
            if entered:
                self._fill(entered)
            return entered
        if not rows:
            self._decoder.begin(self._prompt_rows * width)
            rows += [Row(waiting[0].prompt) for _ in range(self._prompt_rows * width)]
        taken = {one.rows.start for one in running}
        free = [start for start in range(0, len(rows) - width + 1, width) if start not in taken]
        entered = []
        for start in free[: len(waiting)]:
            if waiting[0].number not in self._read:
                self._read_next(self._decoder, list(islice(waiting, self._prompt_rows)))
            one = waiting.popleft()
            one.rows = range(start, start + width)
            logits, contents = self._read.pop(one.number)
            one.first = self._replies.first(logits)
            for row in one.rows:
                self._decoder.load(row, contents)
                rows[row] = Row(one.prompt)
            entered.append(one)
        return entered

    def _read_next(self, decoder: LoadingDecoder, searches: Sequence[Running[T]]) -> None:
        prompts = [one.prompt for one in searches]
        ids, lengths = pad_prompts(prompts, self._prompt_rows, length_buckets(decoder.max_length))
        logits, contents = decoder.read(ids, lengths)
        for place, one in enumerate(searches):
            self._read[one.number] = logits[place], [part[place, :, : len(one.prompt)] for part in contents]

    def _fill(self, searches: Sequence[Running[T]]) -> None:
        """Lets the decoder read the prompts of a whole batch, each into its rows."""
        decoder, width, number = self._decoder, self._width, self._prompt_rows * self._width
        repeated = [one.prompt for one in searches for _ in range(width)]
        ids, lengths = pad_prompts(repeated, number, length_buckets(decoder.max_length))
        decoder.prefill(ids, lengths)
        padding = [[int(ids[0, 0])]] * (number - len(repeated))
        self._replies.rows = [Row(prompt) for prompt in (*repeated, *padding)]
        for place, one in enumerate(searches):
            one.rows = range(place * width, (place + 1) * width)

    def shrink(self, running: Sequence[Running[T]]) -> None:
        """Drops the rows of searches that have ended once those of the others fit into a quarter of the batch."""
        needed, rows = len(running) * self._width, len(self._replies.rows) // _SHRINKING
        while rows >= _SHRINKING * needed:
            rows //= _SHRINKING
        if not isinstance(self._decoder, GreedyDecoder) or needed > rows:
            return
        kept = [row for one in running for row in one.rows]
        kept += [row for row in range(len(self._replies.rows)) if row not in kept][: rows - len(kept)]
        self._decoder.keep(kept)
        self._replies.rows = [self._replies.rows[row] for row in kept]
        for place, one in enumerate(running):
            one.rows = range(place * self._width, (place + 1) * self._width)


def rows_for(prompts: int, batch_size: int) -> int:
    """Returns the number of prompts that a decoder is run with: a power of two of at least their number."""
    return bucket_for(prompts, batch_buckets(batch_size))
