"""Generates the answers of an evaluation with the model that is being trained, without changing the training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from scimind.generate.batch import Generated
from scimind.generate.buckets import batch_buckets, bucket_for
from scimind.generate.decoders.protocols import Decoder
from scimind.generate.loop import generate_batch
from scimind.generate.settings import GenerationSettings
from scimind.tokenizer import TokenCodec
from scimind.train.answers.questions import Question
from scimind.train.answers.scores import kinds_of, score_answers, scores_of
from scimind.train.resume.state import random_state, restore_random_state

_ROWS = 32  # answers that are generated together
_SHORTEST_LIMIT = 16


class AnswerGenerator:
    """Answers questions greedily and without a rule, so that the share of valid answers is the model's own.

    Args:
        decoder: The model; it sees every change of the weights.
        codec: The tokenizer.
        questions: At least one question that leaves room for an answer.
        longest: Maximum length of an answer in prediction, in tokens.

    Attributes:
        questions: The questions.
        limit: Maximum length of an answer here: that of prediction, but not more than twice the longest reference, or
            than the model's sequence leaves.
        allowed: Maximum length of an answer in prediction.
        longest_reference: Length of the longest reference in tokens, with EOS.
        names: Names of the scores.
    """

    def __init__(self, decoder: Decoder, codec: TokenCodec, questions: Sequence[Question], longest: int) -> None:
        self._decoder, self._codec, self.questions = decoder, codec, questions
        self._kinds = kinds_of(codec, questions)
        self.names = scores_of(self._kinds)
        self.longest_reference = max(len(question.reference) + 1 for question in questions)
        self.allowed = longest
        room = decoder.max_length - min(len(question.ids) for question in questions)
        self.limit = min(longest, room, max(_SHORTEST_LIMIT, 2 * self.longest_reference))
        rows = min(len(questions), _ROWS)
        self._settings = GenerationSettings(max_new_tokens=self.limit, batch_size=_ROWS)
        self._rows = bucket_for(rows, batch_buckets(_ROWS))

    def __str__(self) -> str:
        """Returns how many answers of which kinds are generated, for the console."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(self._kinds).items())
        return f"{len(self.questions)} answers ({kinds}) of at most {self.limit} tokens"

    def score(self) -> dict[str, float]:
        """Generates all answers and returns their scores; the network is left in evaluation mode."""
        answers: list[Generated] = []
        with _random_state_kept():
            for start in range(0, len(self.questions), _ROWS):
                answers += generate_batch(
                    self._decoder,
                    [question.ids for question in self.questions[start : start + _ROWS]],
                    self._settings,
                    eos_id=self._codec.eos_id,
                    vocab_size=self._codec.vocab_size,
                    pad_id=self._codec.pad_id,
                    rows=self._rows,
                )
        return score_answers(self._codec, self.questions, self._kinds, answers)


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Restores all random generators, whose numbers a training's next steps may use."""
    state = random_state()
    try:
        yield
    finally:
        restore_random_state(state)
