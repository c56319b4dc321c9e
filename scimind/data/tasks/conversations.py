"""The task of ready-made conversations, which are used unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.data.content.conversations import read_conversations
from scimind.data.content.fields import FieldOptions
from scimind.data.content.molecules import canonical_smiles, parse, scaffold
from scimind.data.content.sequences import wrap_text
from scimind.data.conversation import Round
from scimind.data.defects import ENCODING, RecordError
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.rows import Row
from scimind.data.formats.text_files import broken_byte
from scimind.data.tasks.task import Sample, Task
from scimind.errors import DataError
from scimind.tokenizer.alphabet import BRACKETS
from scimind.tokenizer.tags import FORM_RUNS, UNESCAPED_TAGGED, bare_characters

ROUNDS, SYSTEM = "rounds", "system"

# The tag that a sequence written as added tokens counts as, by modality.
_TAG_OF_FORMS = {"smiles": "smiles", "protein": "protein", "nucleotide": "dna"}


def marked_sequences(text: str) -> list[tuple[str, str]]:
    """Returns (tag, sequence) for all sequences in tags or in forms of added tokens; RNA in forms counts as DNA."""
    found = [(match[1], match[2].strip()) for match in UNESCAPED_TAGGED.finditer(text)]
    for modality, tag in _TAG_OF_FORMS.items():
        if BRACKETS[modality][0] in text:
            found += [(tag, bare_characters(match[0])) for match in FORM_RUNS[modality].finditer(text)]
    return found


@dataclass(frozen=True)
class ConversationTask(Task):
    """Conversation JSON: questions and answers used unchanged, with sequences in tags.

    The entity of a record is all its sequences together, or its first question if it has none. Its system text does not
    count, since many records share it.
    """

    def rows(self, path: Path, label: str | None, notes: FileNotes, options: FieldOptions) -> Iterator[Row | DataError]:
        """Yields the conversations of a file; see the base class."""
        if label is not None:
            raise DataError(f"{label}= gives a label, but task {self.name} has none; leave it out", path)
        for talk in read_conversations(path, notes=notes):
            if isinstance(talk, DataError):
                yield talk
                continue
            texts = talk.system + "".join(text or "" for pair in talk.rounds for text in pair)
            if (broken := broken_byte(texts)) is not None:
                yield RecordError(ENCODING, broken, talk.path, talk.line)
            else:
                values = {ROUNDS: talk.rounds, SYSTEM: talk.system, "repairs": talk.repairs, "readings": talk.readings}
                yield Row(talk.id, values, path, talk.line or 1)

    def sample(self, values: Mapping[str, Any], options: FieldOptions) -> Sample:
        """Returns the sample of a conversation; see the base class."""
        rounds, detected = values[ROUNDS], []
        if options.detect:
            wrapped = []
            for pair in rounds:
                texts = [wrap_text(text, detect=True, plain=False) for text in pair]
                detected += [found for _, _, founds in texts for found in founds]
                wrapped.append(Round(texts[0][0], texts[1][0]))
            rounds = tuple(wrapped)
        sequences = sorted({found for pair in rounds for text in pair for found in marked_sequences(text or "")})
        tag = sequences[0][0] if sequences else ""
        names, group = [], ""
        for kind, sequence in sequences:
            if kind == "smiles" and options.molecules != "as-is":
                try:
                    molecule = parse(sequence)
                    sequence = canonical_smiles(molecule)
                    group = group or (scaffold(molecule) if options.scaffolds else "")
                except RecordError:
                    pass  # a conversation may mention SMILES that are not valid
            names.append(sequence)
        *asked, answer = (text or "" for pair in rounds for text in pair)
        system = values.get(SYSTEM, "")
        return Sample(
            rounds=rounds,
            entity="\x1f".join(names) or rounds[0].question,
            tag=tag,
            group=group,
            question="\x1f".join([*([system] if system else []), *asked, ""]),
            answer=answer,
            repairs=values.get("repairs", 0),
            detected=tuple(detected),
            system=system,
            readings=values.get("readings", {}),
        )
