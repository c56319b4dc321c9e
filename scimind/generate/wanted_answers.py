"""What a run wants of its answers: the rule, the conditions, the ranking and the first tokens that settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

from scimind.data.content.molecules import parse
from scimind.data.defects import RecordError
from scimind.errors import ConfigError, TokenError
from scimind.generate.answer_rules import AnswerRules
from scimind.generate.answer_search import AnswerSearch
from scimind.generate.prompts import PREFIX, EncodedPrompt
from scimind.generate.search.answers import Ranking
from scimind.generate.search.model import Prefix
from scimind.generate.settings import GenerationSettings
from scimind.generate.validity.molecules import MoleculeRule, canonical_text
from scimind.generate.validity.numbers import NumberRule, number_texts
from scimind.generate.validity.rule import AnswerRule, IncrementalRule
from scimind.generate.validity.sequences import SequenceRule
from scimind.generate.validity.tokens import DecodedTokens, SequenceTokens, TextTokens, TokenRule
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import TAG_MODALITIES
from scimind.tokenizer.tags import closing_tag, opening_tag

_MOLECULES, _NUMBERS = "smiles", "number"
# Settings of answers that are generated, and of those among them that are proteins or nucleic acids.
_OF_ANSWERS = ("valid", "where", "prefix", "num_return_sequences", "num_beams", "samples_per_prompt", "rank_by")
_OF_SEQUENCES = ("min_sequence_length", "max_sequence_length", "reading_frame")


def validity(settings: GenerationSettings, rules: AnswerRules, rule: AnswerRule | None = None) -> str:
    """Returns the setting `valid`, which depends on the task's kind of answer if it is not given; see `search_for`."""
    if settings.valid is not None:
        return settings.valid
    if rule is not None:
        return "require"
    return "require" if _kind(rules) in (*TAG_MODALITIES, _NUMBERS) and rules.choices is None else "none"


def search_for(
    settings: GenerationSettings,
    codec: TokenCodec,
    rules: AnswerRules,
    rule: AnswerRule | None = None,
    *,
    has_prefixes: bool = False,
) -> AnswerSearch | None:
    """Returns how the answers of a run are searched for; None if each is simply decoded.

    Args:
        settings: The settings.
        codec: The tokenizer.
        rules: How answers are obtained and read.
        rule: A rule of one's own, which replaces that of the task's kind of answer.
        has_prefixes: Whether prompts say what their answers begin with.

    Raises:
        ConfigError: A setting does not fit the kind of answer, or is not understood.
    """
    valid = validity(settings, rules, rule)
    if rules.choices is not None:
        _refuse_with_choices(settings, rule)
        return None
    _refuse_without_effect(settings, _kind(rules), valid, rule)
    token_rule = None if valid == "none" else _rule(settings, codec, rules, rule)
    wanted = (settings.num_return_sequences, settings.beams, settings.samples or 1)
    if token_rule is None and wanted == (1, 1, 1) and not (settings.where or settings.prefix or has_prefixes):
        return None
    return AnswerSearch(
        settings,
        token_rule,
        codec.eos_id,
        codec.vocab_size,
        codec.pad_id,
        key=_key(codec, rules),
        unmet=_unmet(settings, rules),
        rank_by=_ranking(settings, rules),
        lead=() if settings.prefix is None else lead_of(settings.prefix, codec, rules, token_rule),
    )


def lead_of(prefix: str, codec: TokenCodec, rules: AnswerRules, rule: TokenRule | None) -> Prefix:
    """Returns the tokens of the text that an answer begins with.

    Args:
        prefix: The text; of a molecule or another sequence without its tag.
        codec: The tokenizer.
        rules: How answers are read.
        rule: What an answer may be; None if anything.

    Raises:
        ConfigError: The text has no tokens, or no accepted answer begins with it.
    """
    kind, text = _kind(rules), prefix.strip()
    try:
        tagged = f"{opening_tag(kind)}{text}{closing_tag(kind)}" if kind in TAG_MODALITIES else prefix
        ids = tuple(codec.encode(tagged, bos=False))
    except TokenError as error:
        raise ConfigError(f"prefix ({prefix!r}): {error}") from error
    if not ids:
        raise ConfigError("prefix is empty; leave it out")
    state: Any = None if rule is None else rule.start()
    for token in ids:
        state = None if rule is None else rule.extend(state, token)
        if rule is not None and state is None:
            raise ConfigError(f"prefix ({prefix!r}) does not begin any valid answer; correct it, or set valid to none")
    return ids


def with_leads(
    prompts: Sequence[EncodedPrompt], codec: TokenCodec, rules: AnswerRules, search: AnswerSearch | None
) -> list[EncodedPrompt]:
    """Returns prompts with the tokens that their answers begin with; one whose prefix is wrong gets a fault.

    Raises:
        ConfigError: There is a prefix, but answers are chosen.
    """
    led = []
    for prompt in prompts:
        if prompt.prefix and not prompt.fault:
            if search is None:
                raise ConfigError(f"{PREFIX}: answers are chosen here, not generated; remove the column")
            try:
                whole = (search.settings.prefix or "") + prompt.prefix
                prompt = replace(prompt, lead=lead_of(whole, codec, rules, search.rule))
            except ConfigError as error:
                prompt = replace(prompt, fault=f"line {prompt.line}: {error}", ids=())
        led.append(prompt)
    return led


def _kind(rules: AnswerRules) -> str:
    return "text" if rules.task is None else rules.task.output.kind


def _refuse_with_choices(settings: GenerationSettings, rule: AnswerRule | None) -> None:
    """Refuses settings of generated answers where choices are ranked."""
    names = [name for name in (*_OF_ANSWERS, *_OF_SEQUENCES) if _is_given(settings, name)]
    if rule is not None:
        names.append("a rule")
    if names:
        raise ConfigError(f"{', '.join(names)}: answers are chosen here, not generated; leave it out")


def _refuse_without_effect(settings: GenerationSettings, kind: str, valid: str, own: AnswerRule | None) -> None:
    """Refuses settings that would change nothing."""
    names = [name for name in _OF_SEQUENCES if _is_given(settings, name)]
    if names and (valid == "none" or own is not None or kind not in TAG_MODALITIES or kind == _MOLECULES):
        raise ConfigError(
            f"{', '.join(names)}: only answers that are proteins, DNA or RNA, and must be valid, have lengths and "
            "reading frames; leave it out"
        )
    if _is_given(settings, "rank_by") and settings.beams == 1 and settings.samples < 2 and settings.where is None:
        raise ConfigError(
            f"rank_by ({settings.rank_by}) needs several answers to choose from; set num_return_sequences, num_beams "
            "or samples_per_prompt, or leave it out"
        )


def _is_given(settings: GenerationSettings, name: str) -> bool:
    """Returns whether a setting asks for something."""
    value = getattr(settings, name)
    return value != getattr(GenerationSettings, name) and not (name == "valid" and value == "none")


def _rule(settings: GenerationSettings, codec: TokenCodec, rules: AnswerRules, own: AnswerRule | None) -> TokenRule:
    """Returns the rule of a kind of answer: of one sequence, of a number, or of the sequences in a text."""
    kind = _kind(rules)
    modality = TAG_MODALITIES.get(kind)
    if own is not None:
        if modality is not None and isinstance(own, IncrementalRule):
            return SequenceTokens.of(own, codec, modality)
        never = {codec.bos_id, codec.eos_id, codec.pad_id, codec.unk_id}
        return DecodedTokens(own, codec.decode, [token for token in range(codec.vocab_size) if token not in never])
    if kind == _MOLECULES:
        return SequenceTokens.of(MoleculeRule(), codec, kind)
    if modality is not None:
        return SequenceTokens.of(_sequence_rule(settings, kind), codec, modality)
    if rules.task is not None and rules.task.number_field is not None:
        return SequenceTokens(NumberRule(rules.task.number_field.number.digits), number_texts(codec))
    inner: dict[str, IncrementalRule] = {
        _MOLECULES: MoleculeRule(),
        "protein": SequenceRule("protein"),
        "nucleotide": SequenceRule("nucleotide"),
    }
    return TextTokens.of(inner, codec)


def _sequence_rule(settings: GenerationSettings, kind: str) -> SequenceRule:
    frame = settings.reading_frame
    return SequenceRule(
        kind,
        settings.min_sequence_length,
        settings.max_sequence_length,
        reading_frame=frame != "none",
        start_codon=frame == "coding",
        stop_codon=frame == "coding",
    )


def _key(codec: TokenCodec, rules: AnswerRules) -> Callable[[Prefix], Hashable]:
    """Returns what is equal for answers without a rule that mean the same: molecules by their canonical SMILES."""
    if _kind(rules) != _MOLECULES:
        return lambda ids: rules.read(codec, ids)
    return lambda ids: canonical_text(rules.read(codec, ids)) or rules.read(codec, ids)


def _unmet(settings: GenerationSettings, rules: AnswerRules) -> Callable[[Hashable], Sequence[str]] | None:
    """Returns the conditions of `where`, None if there are none."""
    if settings.where is None:
        return None
    from scimind.generate.wishes import parse_wish

    try:
        wish = parse_wish(settings.where)
    except ConfigError as error:
        raise ConfigError(error.faults, "where") from error
    _need_molecules("where", settings.where, rules)

    def unmet(key: Hashable) -> Sequence[str]:
        try:
            return wish.unmet(parse(str(key)))
        except RecordError:
            return ["is a molecule"]

    return unmet


def _ranking(settings: GenerationSettings, rules: AnswerRules) -> Ranking | Callable[[Hashable], float]:
    """Returns what `rank_by` says.

    Raises:
        ConfigError: It is neither a ranking nor a number that can be computed from a molecule.
    """
    if settings.rank_by == "likelihood":
        return "likelihood"
    if settings.rank_by == "votes":
        return "votes"
    from scimind.generate.wishes import parse_number

    try:
        measure = parse_number(settings.rank_by)
    except ConfigError as error:
        raise ConfigError(
            f"rank_by is likelihood, votes, or a number that is computed from a molecule: {error}"
        ) from error
    _need_molecules("rank_by", settings.rank_by, rules)

    def value(key: Hashable) -> float:
        try:
            return measure.value(parse(str(key)))
        except RecordError:
            return float("nan")

    return value


def _need_molecules(name: str, value: str, rules: AnswerRules) -> None:
    if _kind(rules) != _MOLECULES:
        raise ConfigError(f"{name} ({value}) needs answers that are molecules; give --task text2smiles or leave it out")
