"""The reference of all commands, generated from their parsers."""

from __future__ import annotations

import argparse
import re

from described_code import commands


def flags(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Returns the arguments of a parser, without `--help`."""
    return [
        action
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction | argparse._VersionAction)
    ]


def markdown() -> str:
    """Returns a table of flags for each command."""
    lines: list[str] = []
    for name, parser in commands().items():
        lines += [f"## {name.removeprefix('python ')}", "", str(parser.description), ""]
        lines += ["```text", usage(name, parser), "```", ""]
        lines += ["| Flag | Value | Default | Meaning |", "|---|---|---|---|"]
        lines += [_row(parser, action) for action in flags(parser)]
        if parser.epilog:
            lines += ["", parser.epilog]
        lines.append("")
    return "\n".join(lines)


def usage(name: str, parser: argparse.ArgumentParser) -> str:
    """Returns a command with its required flags and arguments."""
    needed = [" ".join([*action.option_strings[:1], value(action)]) for action in flags(parser) if action.required]
    return " ".join([name, *needed, "[flags]"])


def value(action: argparse.Action) -> str:
    """Returns the placeholder of a flag's value; empty for a switch."""
    if action.nargs == 0:
        return ""
    name = "|".join(map(str, action.choices)) if action.choices else action.metavar or action.dest.upper()
    return f"{name} …" if action.nargs in ("+", "*") else str(name)


def _without_default(text: str) -> tuple[str, str]:
    """Returns a help text without the default at its end, and that default."""
    found = re.fullmatch(r"(.*?)\s*\(default: (.*)\)", text, re.DOTALL)
    return (found[1], found[2]) if found else (text, "")


def _row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """Returns the table row of a flag."""
    given = action.option_strings or [value(action)]  # an argument without a flag
    names = "<br>".join(f'<code class="flag">{name}</code>' for name in given)
    shown = ", ".join(f"`{choice}`" for choice in action.choices) if action.choices else f"`{value(action)}`"
    help_text = parser._get_formatter()._expand_help(action) if action.help else ""
    meaning, default = _without_default(help_text)
    if action.required:
        default = "required"
    elif not default and action.nargs != 0 and action.default not in (None, argparse.SUPPRESS, "", [], ()):
        default = f"`{action.default}`"
    cells = (names, shown if action.nargs != 0 else "", default, meaning[:1].upper() + meaning[1:])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
