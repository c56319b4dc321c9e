"""Strategies that damage files: as bytes, and as trees of JSON and YAML."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from hypothesis import strategies as st

MOST_BYTES = 1 << 20
_MOST_RECORDS = 10_000  # each of them takes its time, however short it is

_FRAGMENTS = (
    *(b"\0", b"\r", b"\r\n", b"\n", b"\n\n", b"\t", b" ", b",", b";", b'"', b"'", b"\\", b"\x1a", b"\x0b", b"\x85"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\xc3", b"\xe9", b"\x80\x81", b"\xf4\x90\x80\x80"),
    *(
        b"\xed\xa0\x80",
        b'"\\ud800"',
        b"\\udc00",
        "\u2028".encode(),
        "\ufeff".encode(),
        "𝒞é漢".encode(),
        b"\xcc\x81" * 9,
    ),
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"[",
        b"]",
        b"{",
        b"}",
        b'""',
        b":",
        b": ",
        b"- ",
        b"#",
        b"%",
        b"&a ",
        b"*a",
        b"<<: ",
    ),
    *(b"NaN", b"-Infinity", b".inf", b"1e999", b"-1", b"0", b"1e-300", b"9" * 30, b"9" * 5000, b"0x", b"2024-99-99"),
    *(b"!!python/object:os.system ", b"!!binary ", b"!!set ", b"|\n", b">", b"@", b"+\n", b"$$$$\n", b"M  END\n"),
    *(b"<smiles>", b"</smiles>", b"<protein>", b" [INST]: ", b"{|C|}", b"\\n", b"=cmd", b"{molecule}", b"{}{", b"../x"),
    *(b"from", b"role", b"conversations", b"output", b"id", b"PK\x03\x04", b"PAR1", b"\x1f\x8b", b"BZh91AY&SY"),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_HOSTILE_NUMBERS = (
    b"-1",
    b"0",
    b"1e400",
    b"1" * 25,
    b"2147483648",
    b"-9223372036854775809",
    b"1.5",
    b"NaN",
    b"7" * 4400,
)

_numbers = st.one_of(
    st.integers(-3, 300),
    st.sampled_from([2**31, 2**63, 2**64 + 1, -(2**63), 10**30, 10**4000]),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e-300, 1e300, 0.5, -0.0]),
)
_texts = st.one_of(
    st.sampled_from(
        ["", " ", "0", "-", "yes", "..", "/", "\0", "{", "{molecule}", "a\nb", "\ud800", "é漢", "x" * 3000]
    ),
    st.text(max_size=12),
)
_scalars = st.one_of(st.none(), st.booleans(), _numbers, _texts)


def _nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


hostile_values = st.one_of(
    _scalars,
    st.recursive(
        _scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_texts, inner, max_size=3)),
        max_leaves=8,
    ),
    st.sampled_from([40, 60, 500]).map(_nested),
)


def bytes_of(valid: Sequence[bytes], *, most_edits: int = 4) -> st.SearchStrategy[bytes]:
    """Returns a strategy for one of several files with up to a few edits."""

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        content = draw(st.sampled_from(list(valid)))
        for _ in range(draw(st.integers(0, most_edits))):
            content = draw(st.sampled_from(_EDITS))(draw, content, valid)[:MOST_BYTES]
        return content

    return build()


def _place(draw: st.DrawFn, content: bytes) -> int:
    return draw(st.integers(0, len(content)))


def _slice(draw: st.DrawFn, content: bytes) -> tuple[int, int]:
    first = _place(draw, content)
    return first, min(len(content), first + draw(st.sampled_from([1, 2, 7, 40, 300])))


def _insert(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    at = _place(draw, content)
    return content[:at] + draw(st.one_of(st.sampled_from(_FRAGMENTS), st.binary(max_size=6))) + content[at:]


def _overwrite(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    at, found = _place(draw, content), draw(st.one_of(st.sampled_from(_FRAGMENTS), st.binary(min_size=1, max_size=4)))
    return content[:at] + found + content[at + len(found) :]


def _flip(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    if not content:
        return content
    at = draw(st.integers(0, len(content) - 1))
    return content[:at] + bytes([content[at] ^ (1 << draw(st.integers(0, 7)))]) + content[at + 1 :]


def _delete(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    first, last = _slice(draw, content)
    return content[:first] + content[last:]


def _repeat(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    """Repeats a part, sometimes until the file is large, which shows what takes quadratic time."""
    first, last = _slice(draw, content)
    size = draw(st.sampled_from([10, 10, 100, 1000, 30_000, 250_000, MOST_BYTES]))
    part = content[first:last] or b"x"
    times = size // len(part)
    if b"\n" in part:
        times = min(times, _MOST_RECORDS)
    return content[:last] + part * times + content[last:]


def _nest(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    at, depth = _place(draw, content), draw(st.sampled_from([3, 60, 1000, 100_000]))
    opening, closing = draw(st.sampled_from([(b"[", b"]"), (b'{"a":', b"}"), (b"(", b")"), (b"- ", b""), (b"{", b"")]))
    return content[:at] + opening * depth + draw(st.sampled_from([b"", closing * depth])) + content[at:]


def _truncate(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    return content[: _place(draw, content)]


def _splice(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    other = draw(st.sampled_from(list(valid)))
    return content[: _place(draw, content)] + other[_place(draw, other) :]


def _number(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    found = list(_NUMBER.finditer(content))[:2000]
    if not found:
        return content
    match = draw(st.sampled_from(found))
    return content[: match.start()] + draw(st.sampled_from(_HOSTILE_NUMBERS)) + content[match.end() :]


def _lines(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    """Moves, doubles or removes a line, or changes all line ends."""
    lines = content.split(b"\n")
    what = draw(st.sampled_from(["double", "remove", "swap", "cr", "crlf", "none"]))
    if what in ("cr", "crlf", "none"):
        return {"cr": b"\r", "crlf": b"\r\n", "none": b""}[what].join(lines)
    at = draw(st.integers(0, len(lines) - 1))
    if what == "double":
        lines.insert(at, lines[at])
    elif what == "remove":
        del lines[at]
    else:
        other = draw(st.integers(0, len(lines) - 1))
        lines[at], lines[other] = lines[other], lines[at]
    return b"\n".join(lines)


def _recode(draw: st.DrawFn, content: bytes, valid: Sequence[bytes]) -> bytes:
    text = content.decode("utf-8", "replace")
    return text.encode(
        draw(st.sampled_from(["utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp1252", "utf-7"])), "replace"
    )


_EDITS: tuple[Callable[[st.DrawFn, bytes, Sequence[bytes]], bytes], ...] = (
    *(
        _insert,
        _insert,
        _overwrite,
        _flip,
        _delete,
        _repeat,
        _nest,
        _truncate,
        _splice,
        _number,
        _number,
        _lines,
        _recode,
    ),
)


def trees_of(trees: Sequence[Any], *, most_changes: int = 3) -> st.SearchStrategy[Any]:
    """Returns a strategy for a tree of JSON values in which up to a few places are changed, removed or added."""

    @st.composite
    def build(draw: st.DrawFn) -> Any:
        holder = [copy.deepcopy(draw(st.sampled_from(list(trees))))]
        for _ in range(draw(st.integers(0, most_changes))):
            places = [place for place in _places(holder) if place[0] is not holder or draw(st.integers(0, 40)) == 0]
            if not places:
                break
            parent, key = draw(st.sampled_from(places))
            _change(draw, parent, key)
        return holder[0]

    return build()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Returns the parent and the key of every value of a tree."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < 5000:
        parent = waiting.pop()
        for key, child in list(parent.items() if isinstance(parent, dict) else enumerate(parent)):
            found.append((parent, key))
            if isinstance(child, dict | list):
                waiting.append(child)
    return found


def _change(draw: st.DrawFn, parent: Any, key: Any) -> None:
    what = draw(st.sampled_from(["value", "value", "value", "remove", "add", "rename", "wrap", "double"]))
    if what == "remove" and len(parent) > 1:
        del parent[key]
    elif what == "wrap":
        parent[key] = draw(st.sampled_from([[parent[key]], {"a": parent[key]}, str(parent[key])]))
    elif what == "double" and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    elif what == "add" and isinstance(parent, dict):
        parent[draw(st.one_of(_texts, st.just(f"{key}s")))] = draw(hostile_values)
    elif what == "rename" and isinstance(parent, dict):
        parent[draw(_texts)] = parent.pop(key)
    else:
        parent[key] = draw(hostile_values)


def as_json(value: Any) -> bytes:
    """Returns a tree as JSON; half a surrogate pair is written as an escape, and NaN as Python writes it."""
    return json.dumps(value).encode()


def as_yaml(value: Any) -> bytes:
    """Returns a tree as YAML; what YAML cannot hold is replaced, and what is nested too deeply for it is JSON."""
    try:
        return yaml.safe_dump(value, allow_unicode=True, sort_keys=False).encode("utf-8", "replace")
    except RecursionError:
        return as_json(value)


def json_files(trees: Sequence[Any], *, most_changes: int = 3) -> st.SearchStrategy[bytes]:
    """Returns a strategy for files of one JSON value: near-valid ones, and damaged ones."""
    whole = [as_json(tree) for tree in trees]
    return st.one_of(trees_of(trees, most_changes=most_changes).map(as_json), bytes_of(whole))


def yaml_files(trees: Sequence[Any], texts: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """Returns a strategy for YAML files: near-valid ones, and damaged ones."""
    return st.one_of(trees_of(trees).map(as_yaml), bytes_of([*texts, *map(as_yaml, trees)]))
