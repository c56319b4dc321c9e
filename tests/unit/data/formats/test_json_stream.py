"""JSON read block by block gives what the whole text gives, wherever the blocks end."""

import json
from pathlib import Path

import pytest

from scimind.data.formats.json_stream import _list_values, _Window, json_values
from scimind.data.formats.text_files import lines_of, open_text
from scimind.errors import DataError

VALUES = [{"id": 1, "text": 'a "quoted" \\ back\nslash é🧪'}, [], "x", -12.5e3, None, True, {"deep": [[{"a": {}}]]}, 7]
LISTS = [json.dumps(VALUES), json.dumps(VALUES, indent=1), json.dumps(VALUES, ensure_ascii=False) + "\n \n", "[ 12 ]"]


def blocks(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 1000])
@pytest.mark.parametrize("text", LISTS)
def test_lists_in_blocks(text, size):
    found = list(json_values(Path("a"), "[", iter(blocks(text, size))))
    assert [value for _, value in found] == json.loads(text)
    whole = list(json_values(Path("a"), "[", iter([text])))
    assert [line for line, _ in found] == [line for line, _ in whole]


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('[\n1,\n{"a": }]', 3, "Expecting value"),
        ("[1\n\n", 3, "a comma or the end of the list is missing"),
        ('[1,\n"open', 2, "Unterminated string"),
        ("[1,\ntru]", 2, "Expecting value"),
        ('[{"a" 1}]', 1, "Expecting ':' delimiter"),
        ("[1]\nmore", 2, "text after the end of the list"),
        ("[ ]", None, "the list is empty"),
        ("[" * 100_000, 1, "nested too deeply"),
    ],
)
def test_faults_in_blocks(text, line, reason, size):
    size = max(size, len(text) // 1000)
    with pytest.raises(DataError, match=reason) as caught:
        list(json_values(Path("a"), "[", iter(blocks(text, size))))
    assert str(caught.value).startswith("a: " if line is None else f"a:{line}: ")


def test_a_fault_is_reported_without_further_reading():
    text = "[" + "1, " * 1000 + "{wrong}, " + "2, " * 100_000 + "3]"
    parts = iter(blocks(text, 1000))
    with pytest.raises(DataError):
        list(json_values(Path("a"), "[", parts))
    assert len(list(parts)) > 250


def test_text_already_read_is_discarded():
    window = _Window(Path("a"), iter(blocks(json.dumps(list(range(100_000))), 1000)))
    longest = 0
    for number, (_, value) in enumerate(_list_values(Path("a"), window)):
        assert value == number
        longest = max(longest, len(window.text))
    assert longest < 3000


@pytest.mark.parametrize("size", [1, 2, 5])
def test_lines_in_blocks(size):
    text = "one\n\ntwo three\nlast"
    assert list(lines_of(blocks(text, size))) == text.split("\n")
    assert list(lines_of(blocks(text + "\n", size))) == [*text.split("\n"), ""]


def test_text_in_blocks(write, monkeypatch):
    monkeypatch.setattr("scimind.data.formats.opening._BLOCK", 3)
    start, found = open_text(write("a.txt", "\ufeff \n\r\n  é🧪\r\nb\rc\n".encode()))
    assert start == "é"
    assert "".join(found) == " \n\n  é🧪\nb\nc\n"


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_byte_that_is_not_utf8_is_reported_when_it_is_reached(write, monkeypatch, size):
    monkeypatch.setattr("scimind.data.formats.opening._BLOCK", size)
    path = write("a.txt", "ab\né\n🧪".encode() + b"\xff\nmore")
    with pytest.raises(DataError, match=r"a\.txt:3: byte 0xff is not UTF-8"):
        "".join(open_text(path)[1])
    with pytest.raises(DataError, match=r"a\.txt:1: byte 0xe9 is not UTF-8"):
        "".join(open_text(write("a.txt", b"\xe9"))[1])
