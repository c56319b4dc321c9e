"""Whether and how a training generates answers at its evaluations."""

from __future__ import annotations

from collections.abc import Callable

from scimind.config import RunConfig
from scimind.generate.decoders.protocols import CausalModel
from scimind.generate.predict import codec_of
from scimind.generate.settings import GenerationSettings
from scimind.train.answers.generator import AnswerGenerator
from scimind.train.answers.questions import Question, read_questions
from scimind.train.settings import TrainSettings


def build_generator(
    network: CausalModel, settings: TrainSettings, config: RunConfig, say: Callable[[str], None]
) -> AnswerGenerator | None:
    """Returns what generates the answers of evaluations; None, after one line, if nothing can.

    Args:
        network: The SciMindForCausalLM that is trained; whole, on this worker.
        settings: The training's settings.
        config: The configuration.
        say: Called with the line.
    """
    if not settings.eval_answers or not settings.eval_files:
        return None
    reason, questions = _obstacle(settings, config), []
    if not reason:
        codec = codec_of(config)
        found = read_questions(settings.eval_files, settings.eval_answers, settings.eval_limit, codec.eos_id)
        questions = [question for question in found if _fits(question, codec.vocab_size, settings.seq_length)]
        reason = "" if questions else "eval_dataset has no question that leaves room for an answer"
    if reason:
        say(f"evaluations generate no answers: {reason} (eval_answers)")
        return None
    # Loads MindSpore's operators, which an evaluation without answers does not need.
    from scimind.generate.decoders.choosing import decoder_of

    longest = GenerationSettings.from_config(config).longest_answer
    generator = AnswerGenerator(decoder_of(network), codec, questions, longest)
    say(f"evaluations generate {generator}")
    return generator


def _obstacle(settings: TrainSettings, config: RunConfig) -> str:
    """Returns why no answers can be generated during this training; empty if they can."""
    if settings.splits_tensors:
        return "no worker has the whole model"
    if config.device_target != "CPU":
        return f"a model in training has a decoder on a CPU, not on {config.device_target}"
    if not (config.get("processor") or {}).get("tokenizer"):
        return "processor.tokenizer is missing"
    return ""


def _fits(question: Question, vocab_size: int, seq_length: int) -> bool:
    """Whether a question leaves room for an answer, and the tokenizer can write its reference."""
    return len(question.ids) < seq_length and max(question.reference) < vocab_size
