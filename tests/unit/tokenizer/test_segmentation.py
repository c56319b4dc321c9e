from __future__ import annotations

import random
import time

import pytest

from scimind.errors import TokenError
from scimind.tokenizer.alphabet import added_tokens, token_form
from scimind.tokenizer.segmentation import TextPiece, TokenRun, escape, segment

FORMS = {token_form(*token) for token in added_tokens(extension=True)}
OLD_FORMS = {token_form(*token) for token in added_tokens(extension=False)}


def texts(text: str, forms: set[str] = FORMS) -> list[str]:
    return [part.text if isinstance(part, TextPiece) else f"<{part.characters}>" for part in segment(text, forms)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  plain  ", ["  plain  "]),
        ("  a {|C|} b  ", ["  a", "<{|C|}>", "b  "]),
        ("a\n{|C|}\t \n{|O|}", ["a", "<{|C|}>", "<{|O|}>"]),
        ("binds <|M|>, not *|G|* .", ["binds", "<<|M|>>", ", not", "<*|G|*>", "."]),
        ("*|G|*|C|*", ["<*|G|*>", "|C|*"]),
        ("a <smiles> CCO\n</smiles> b", ["a", "<CCO>", "b"]),
        (r"<smiles>C\C=C\</smiles>", [r"<C\C=C\>"]),
        ("<SMILES>C</SMILES> <q> {|?|} {|C|", ["<SMILES>C</SMILES> <q> {|?|} {|C|"]),
        (r"\{|C|}", ["{|C|}"]),
        (r"\\{|C|}", ["\\", "<{|C|}>"]),
        (r"\\\{|C|}", [r"\{|C|}"]),
        (r" \<smiles> x \</smiles> ", [" <smiles> x </smiles> "]),
        (r"a \n \ \\ b\c", [r"a \n \ \\ b\c"]),
        (r"{|\|}\{|\|}", [r"<{|\|}>", r"{|\|}"]),
    ],
)
def test_pieces(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_a_form_missing_from_the_vocabulary_is_text() -> None:
    assert texts("a {|:|} b {|C|}", OLD_FORMS) == ["a {|:|} b", "<{|C|}>"]
    assert texts("a {|:|} b") == ["a", "<{|:|}>", "b"]


def test_bounds_are_the_positions_of_characters() -> None:
    text = r" x \{|C|} y \\<rna>ACGU</rna> z"
    piece, run, rest = segment(text, FORMS)
    assert isinstance(piece, TextPiece) and isinstance(rest, TextPiece)
    assert piece.text == " x {|C|} y \\"
    spans = [text[a:b] for a, b in zip(piece.bounds, piece.bounds[1:], strict=False)]
    assert spans == [" ", "x", " ", r"\{", "|", "C", "|", "}", " ", "y", " ", r"\\"]
    assert run == TokenRun("rna", "ACGU", text.index("ACGU"))
    assert rest.text == "z" and list(rest.bounds) == [len(text) - 1, len(text)]


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("ab <smiles>CC", 3, "is not closed; write </smiles>"),
        ("ab </smiles> c", 3, "has no opening tag; write <smiles>"),
        ("<smiles>C<smiles>C</smiles></smiles>", 9, "<smiles> at position 9 is inside <smiles>"),
        ("<smiles>C</protein>", 9, "</protein> at position 9 is inside <smiles>"),
        ("<dna> \n</dna>", 0, "is empty"),
    ],
)
def test_faulty_tags(text: str, position: int, message: str) -> None:
    with pytest.raises(TokenError, match=message) as caught:
        list(segment(text, FORMS))
    assert caught.value.position == position
    assert caught.value.character == text[position]


def test_escaped_text_is_one_piece_of_the_same_text() -> None:
    draw = random.Random(7)
    scraps = [
        "{|C|}",
        "*|G|*",
        "<|L|>",
        "{|:|}",
        r"{|\|}",
        "<smiles>",
        "</smiles>",
        "<dna>",
        "\\",
        "\\\\",
        "{|",
        "|}",
        "*|",
        " ",
        "x",
    ]
    for _ in range(2000):
        text = "".join(draw.choices(scraps, k=draw.randint(1, 12)))
        for forms in (FORMS, OLD_FORMS):
            assert texts(escape(text), forms) == [text]
    assert escape("no mark, \\ neither") == "no mark, \\ neither"


def test_many_backslashes_do_not_take_long() -> None:
    began = time.process_time()
    assert texts("\\" * 200_000) == ["\\" * 200_000]
    assert time.process_time() - began < 1.0
