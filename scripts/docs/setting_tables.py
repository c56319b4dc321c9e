"""The tables of all settings, generated from the schema and `meanings.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from described_code import schema_root, unset

MEANINGS = Path(__file__).with_name("meanings.yaml")

# Sections with the same settings, and so the same meanings, as another section.
SAME_AS = {
    "train_dataset_task.dataset_config": "train_dataset",
    "eval_dataset_task.dataset_config": "train_dataset",
    "eval_dataset_task": "train_dataset_task",
    "eval_dataset": "train_dataset",
}

_KINDS = {
    bool: "True or False",
    int: "whole number",
    float: "number",
    str: "text",
    list: "list",
    dict: "section",
    object: "any",
}


@dataclass
class Setting:
    """A row of the table.

    Args:
        name: Dotted name.
        kind: Its allowed values, in words.
        default: Its default, in words; empty if it has none.
        types: The values of `type` under which it exists; empty if it always exists.
        effect: A sentence for one that does nothing; empty for all others.
    """

    name: str
    kind: str
    default: str
    types: list[str]
    effect: str = ""


def settings() -> dict[str, Setting]:
    """Returns every setting of the schema by its dotted name, in the schema's order."""
    found: dict[str, Setting] = {}
    for setting in _walk(schema_root(), ""):
        if setting.name in found:
            found[setting.name].types.extend(setting.types)
        else:
            found[setting.name] = setting
    return found


def meanings() -> dict[str, str]:
    """Returns the meanings in `meanings.yaml` by dotted name."""

    def flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value

    return dict(flat(yaml.safe_load(MEANINGS.read_text(encoding="utf-8"))))


def meaning_name(name: str) -> str:
    """Returns the dotted name under which `meanings.yaml` lists the meaning of a setting."""
    for copy, original in SAME_AS.items():
        if name == copy or name.startswith(f"{copy}."):
            return meaning_name(original + name[len(copy) :])
    return name


def markdown() -> str:
    """Returns the tables of all settings, with a heading for each top-level section."""
    texts = meanings()
    groups: dict[str, list[Setting]] = {}
    for setting in settings().values():
        top, _, rest = setting.name.partition(".")
        groups.setdefault(top if rest else "", []).append(setting)
    lines: list[str] = []
    for top, members in groups.items():
        lines += [f"## `{top}`" if top else "## Top level", ""]
        lines += ["| Setting | Type | Default | Meaning |", "|---|---|---|---|"]
        for setting in members:
            meaning = texts[meaning_name(setting.name)]
            meaning += setting.effect
            if setting.types:
                meaning += f" ({', '.join(f'`{kind}`' for kind in setting.types)})"
            default = f"`{setting.default}`" if setting.default else ""
            name = setting.name.replace(".", ".<wbr>")  # long names break after a dot
            cells = (f"<code>{name}</code>", setting.kind, default, meaning)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _walk(node: Any, name: str, types: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Yields the settings at and below a node of the schema."""
    if hasattr(node, "variants"):
        for kind in node.variants:
            yield from _typed(node, name, kind)
    elif hasattr(node, "fields"):
        for key, child in node.fields.items():
            yield from _walk(child, f"{name}.{key}" if name else key, types)
    elif hasattr(node, "item") and _is_section(node.item):
        yield from _walk(node.item, name, types)
    else:
        yield Setting(name, _kind(node), _default(node), list(types), _effect(node))


def _typed(node: Any, name: str, kind: str) -> Iterator[Setting]:
    """Yields the settings of a section under one value of its `type`."""
    if kind == next(iter(node.variants)):
        if type(node).__name__ != "Typed":  # a loss scale may also be a plain number
            yield Setting(name, "number > 0, or a section", "", [])
        yield Setting(f"{name}.type", "one of " + ", ".join(f"`{other}`" for other in node.variants), "", [])
        for key, child in node.others.items():
            yield from _walk(child, f"{name}.{key}")
    for key, child in node.variants[kind].fields.items():
        shared = all(key in variant.fields for variant in node.variants.values())
        yield from _walk(child, f"{name}.{key}", () if shared else (kind,))


def _is_section(node: Any) -> bool:
    """Returns whether a node has named settings below it."""
    return hasattr(node, "variants") or hasattr(node, "fields")


def _kind(node: Any) -> str:
    """Returns the allowed values of a setting, in words."""
    item = getattr(node, "item", None)
    if item is not None:
        count = f" of {node.length}" if getattr(node, "length", None) else ""
        return f"list{count}: {_kind(item)}" + ("; or one alone" if getattr(node, "single", False) else "")
    if hasattr(node, "of"):
        return _kind(node.node)
    if hasattr(node, "instead"):
        shown = ["empty" if value in (None, "") else f"`{value}`" for value in node.values]
        values = " or ".join(dict.fromkeys(shown))
        return f"only {values}" if values else "not available"
    if not hasattr(node, "kind"):
        return {"Experts": "list of experts, such as `[0..7]`", "Ranges": "`[start, stop]`, or a list of these"}[
            type(node).__name__
        ]
    if node.choices:
        return "one of " + ", ".join(f"`{choice}`" for choice in node.choices)
    text = _KINDS[node.kind] + (f" or {_KINDS[node.also]}" if node.also else "")
    limits = [("≥", node.low), (">", node.above), ("≤", node.high)]
    text += "".join(f" {sign} {value:g}" for sign, value in limits if value is not None)
    return text + (", or empty" if node.nullable else "")


def _effect(node: Any) -> str:
    """Returns a sentence for a setting that does nothing, with what to do instead; empty for all others."""
    if hasattr(node, "of"):
        return f" `{node.of}` decides; a value that differs from it is refused."
    return f" Has no effect here: {node.instead}." if hasattr(node, "instead") else ""


def _default(node: Any) -> str:
    """Returns a setting's default, in words; empty if it has none."""
    default = getattr(node, "default", unset())
    if default is unset():
        return ""
    return "empty" if default is None or default == "" else str(default)
