"""What a decoder replies to the searches of a batch, each of which has some of its rows.

Shapes: b rows of the batch, v vocabulary, c candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.generate.decoders.protocols import CopyingDecoder, Decoder, GreedyDecoder
from scimind.generate.search.model import Ask, Draft, Drafted, Prefix
from scimind.generate.search_rows import Row, Running, Writing, common

_AT_A_TIME = 4  # steps between two looks at what was written: more are in vain where the rule refuses a token
_MOST_CANDIDATES = 256  # tokens whose log-probabilities are kept at each place of a draft


class SearchReplies:
    """Replies to what searches ask, in steps that all rows of a decoder take together.

    Args:
        decoder: The model.
        width: Rows of each search: how many prefixes it asks about at a time, at most.
        vocab_size: Number of real tokens.
        tokens: The tokens that a draft may contain, without EOS.
        eos_id: The token that ends an answer.
        never: Tokens that are never generated.

    Attributes:
        rows: What the decoder's rows hold.
        on_step: Called after each call of the decoder with the number of tokens that were read.
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
        self.rows: list[Row] = []
        self.on_step: Callable[[int], None] = lambda tokens: None

    def replies(self, running: Sequence[Running[Any]]) -> list[tuple[Running[Any], Any]]:
        """Lets the decoder read or write some tokens; returns the searches that have their replies now."""
        known = [(one, reply) for one in running if (reply := self._known(one)) is not None]
        if known:
            return known
        decoder = self._decoder
        drafts = isinstance(decoder, GreedyDecoder)
        asking = [one for one in running if isinstance(one.asked, Ask)]
        if asking and not (drafts and self._candidates and self._width == 1):
            self._step(asking)
            return [(one, one.replies) for one in asking if not one.open]
        return self._write(running, decoder) if isinstance(decoder, GreedyDecoder) else [(one, []) for one in running]

    def first(self, logits: NDArray[np.floating]) -> NDArray[np.floating]:
        """Returns the log-probabilities of an answer's first token [v] from the logits after its prompt [v]."""
        (log_probs,) = self._log_probs(logits[None])
        return log_probs

    def _log_probs(self, logits: NDArray[np.floating]) -> NDArray[np.floating]:
        """Returns log-probabilities [b, v] in the logits' own type, which is what a step of many rows waits for."""
        real = logits[:, : self._vocab_size]
        with np.errstate(invalid="ignore"):  # logits that are not finite; searches report them
            log_probs = real - real.max(axis=1, keepdims=True)
            log_probs -= np.log(np.exp(log_probs).sum(axis=1, keepdims=True))
        log_probs[:, self._never] = -np.inf
        return log_probs

    def _known(self, one: Running[Any]) -> Any:
        """Returns the reply to a search if it follows from what is known of an answer's first token, else None.

        A decoder that writes molecules needs fewer experts as long as no row reads the end of a prompt.
        """
        if one.first is None or () not in one.prefixes:
            return None
        if isinstance(one.asked, Draft):
            allowed = one.first.copy()
            allowed[self._refused] = -np.inf
            token = int(allowed.argmax())
            log_probs = one.first[self._candidates] if self._candidates else None
            return [Drafted(token, float(one.first[token]), log_probs)]
        for place, prefix in enumerate(one.prefixes):
            if not prefix:
                one.replies[place] = one.first
        return None if one.open else one.replies

    def _step(self, asking: Sequence[Running[Any]]) -> None:
        """Answers at most `width` prefixes of each search, one token of each row at a time."""
        wanted: dict[int, tuple[Running[Any], int]] = {}  # the row, the search and the place of its prefix
        sources: dict[int, int] = {}
        for one in asking:
            places = one.open[: self._width]
            rows = self._assign([one.prefixes[place] for place in places], one.rows, sources)
            wanted |= {row: (one, place) for row, place in zip(rows, places, strict=True)}
        self._copy(sources)
        left = {row: self.rows[row].missing(one.prefixes[place]) for row, (one, place) in wanted.items()}
        while left:
            ids, positions = self._idle()
            for row, missing in left.items():
                one, place = wanted[row]
                prefix = one.prefixes[place]
                at = len(prefix) - missing
                ids[row] = self.rows[row].token_at(prefix, at)
                positions[row] = len(self.rows[row].prompt) + at
                self.rows[row].held = prefix[: at + 1]
            # A decoder needs fewer experts if all tokens are of one modality.
            ids[[row for row in range(len(ids)) if row not in left]] = ids[min(left)]
            logits = self._decoder.step(ids, positions)
            self.on_step(len(left))
            ended = [row for row, missing in left.items() if missing == 1]
            if ended:
                log_probs = self._log_probs(np.asarray(logits)[ended])
                for row, values in zip(ended, log_probs, strict=True):
                    one, place = wanted[row]
                    one.replies[place] = values
            left = {row: missing - 1 for row, missing in left.items() if missing > 1}

    def _write(self, running: Sequence[Running[Any]], decoder: GreedyDecoder) -> list[tuple[Running[Any], Any]]:
        """Lets each search's row read known tokens and write a draft, some steps of both."""
        sources: dict[int, int] = {}
        begun = {}
        for one in running:
            if one.writing is None:
                begun[one.number] = self._assign(one.prefixes[:1], one.rows, sources)[0]
        self._copy(sources)
        for one in running:
            if one.writing is None:
                one.writing = self._begin(one, self.rows[begun[one.number]])
        writing = [one.writing for one in running if one.writing is not None]
        rows = [place for draft in writing for place, row in enumerate(self.rows) if row is draft.row]
        ids, positions = self._idle()
        steps = min(_AT_A_TIME, max(draft.left for draft in writing))
        forced = np.full((steps, len(ids)), -1, np.int32)
        for row, draft in zip(rows, writing, strict=True):
            ids[row], positions[row] = draft.newest, draft.position
            known = draft.forced[:steps]
            forced[: len(known), row] = known
        tokens, log_probs, others = decoder.scored_greedy(
            ids,
            positions,
            np.isin(np.arange(len(ids)), rows),
            steps=steps,
            fewest=0,
            eos_id=self._eos_id,
            vocab_size=self._vocab_size,
            never=self._refused,
            candidates=self._candidates,
            forced=forced,
        )
        made, replies = 0, list[tuple[Running[Any], Any]]()
        for row, one in zip(rows, running, strict=True):
            others_of_row = others[:, :, row].copy() if self._candidates else [None] * len(tokens)
            taken = zip(tokens[:, row].tolist(), log_probs[:, row].tolist(), others_of_row, strict=True)
            assert one.writing is not None
            made += one.writing.take(list(starmap(Drafted, taken)), self._eos_id)
            reply = self._reply(one, one.writing, decoder.max_length)
            if reply is not None:
                replies.append((one, reply))
        self.on_step(made)
        return replies

    def _begin(self, one: Running[Any], row: Row) -> Writing:
        """Returns what is read and written next for a search, which has not begun."""
        if isinstance(one.asked, Draft):
            prefix, most = one.asked.prefix, one.asked.most
            place = len(prefix) - row.missing(prefix)
        else:  # the longest prefix that is open; shorter ones are read on the way if they are its beginnings
            prefix, most = max((one.prefixes[place] for place in one.open), key=len), 0
            shorter = [len(one.prefixes[place]) for place in one.open if _begins(prefix, one.prefixes[place])]
            place = min(shorter) - row.missing(prefix[: min(shorter)])
        row.held = prefix[: max(place, 0)]
        return Writing(row, list(prefix), len(prefix), place, most)

    def _reply(self, one: Running[Any], writing: Writing, max_length: int) -> Any:
        """Returns the reply to a search, None if it has none yet."""
        ended = writing.is_done or writing.position >= max_length
        if isinstance(one.asked, Draft):
            return writing.draft if writing.draft or ended else None
        if not ended:
            return None
        for place in one.open:
            prefix = one.prefixes[place]
            values = writing.known.get(len(prefix))
            if values is not None and _begins(writing.tokens, prefix):
                log_probs = np.full(self._vocab_size, -np.inf)
                log_probs[self._candidates] = values
                one.replies[place] = log_probs
        one.writing = None
        return None if one.open else one.replies

    def _assign(self, prefixes: Sequence[Prefix], rows: range, sources: dict[int, int]) -> list[int]:
        """Returns a row for each prefix, preferably one that holds it; adds rows to be copied to `sources`."""
        if self._width == 1:
            return [rows[0]]
        holding = {self.rows[row].held: row for row in rows}
        chosen = [holding.pop(prefix[:-1], None) for prefix in prefixes]
        free = [row for row in rows if row not in chosen]
        for place, prefix in enumerate(prefixes):
            if chosen[place] is not None:
                continue
            missing = {row: self.rows[row].missing(prefix) for row in rows}
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
        pairs = [(self.rows[row], self.rows[source]) for row, source in sources.items()]
        start = min(len(row.prompt) + common(row.held, source.held) for row, source in pairs)
        stop = max(len(self.rows[row].prompt) + len(self.rows[row].held) for row in sources.values())
        self._decoder.copy_rows(sources, start, stop)
        held = {row: self.rows[source].held for row, source in sources.items()}
        for row, tokens in held.items():
            self.rows[row].held = tokens

    def _idle(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Returns tokens [b] and positions [b] for rows that read nothing: what they overwrite is not held any more."""
        most = self._decoder.max_length - 1
        positions = np.array([min(len(row.prompt) + len(row.held), most) for row in self.rows], np.int32)
        for row, position in zip(self.rows, positions.tolist(), strict=True):
            row.held = row.held[: position - len(row.prompt)]
        return np.array([row.prompt[-1] for row in self.rows], np.int32), positions


def _begins(tokens: Sequence[int], prefix: Prefix) -> bool:
    return tuple(tokens[: len(prefix)]) == prefix
