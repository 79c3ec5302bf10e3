"""Finds the command lines that our documents and helps show to people."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from broker.commands.main import app

ROOT = Path(__file__).parents[2]
PROGRAMS = ("crisis-broker", ".venv/bin/crisis-broker", "make", "curl", "pytest", "kcat", "mvn")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_EXAMPLE = re.compile(r"^Example:\s*(.+?)(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One command line, and the document or command that shows it."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def documents() -> list[Path]:
    """All Markdown files of the project."""
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    )


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language in a Markdown text."""
    return [body for kind, body in _FENCE.findall(text) if kind == language]


def lines_of(block: str) -> list[str]:
    """The command lines of a block: continued lines joined, explanations behind them cut off."""
    joined = re.sub(r"\\\n\s*", "", block)
    cut = (re.split(r"\s{3,}|\s+# ", line.strip())[0] for line in joined.splitlines())
    return [line for line in cut if line.startswith(PROGRAMS) and " " in line]


def in_blocks(path: Path) -> Iterator[CommandLine]:
    """Command lines in the fenced blocks of a document."""
    text, place = path.read_text("utf-8"), str(path.relative_to(ROOT))
    for language in ("sh", ""):
        for block in blocks(text, language):
            yield from (CommandLine(place, line) for line in lines_of(block))


def inline(path: Path) -> Iterator[CommandLine]:
    """Command lines within sentences; `a x | y` stands for `a x` and `a y`."""
    place = str(path.relative_to(ROOT))
    prose = _FENCE.sub("", path.read_text("utf-8"))
    for text in _INLINE.findall(prose):
        if text.startswith(PROGRAMS) and " " in text:
            first, *others = text.split(" | ")
            yield CommandLine(place, first)
            yield from (CommandLine(place, f"{first.rpartition(' ')[0]} {each}") for each in others)


def commands() -> dict[str, Any]:
    """Every command that does something, by its words after `crisis-broker`."""
    return dict(_leaves(typer.main.get_command(app), ()))


def example_of(command: Any) -> str | None:
    """The example in a command's help, on one line; None if it has none."""
    found = _EXAMPLE.search(command.help or "")
    return " ".join(found[1].split()) if found else None


def _leaves(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from _leaves(below, (*words, name))
    else:
        yield " ".join(words), command
