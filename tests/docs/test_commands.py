"""Command lines in documents, helps and messages: the commands and options they name exist."""

import re
import shlex
from typing import Any

import pytest
import typer

from broker.commands.main import app
from tests.docs.command_lines import (
    ROOT,
    CommandLine,
    commands,
    documents,
    example_of,
    in_blocks,
    inline,
)

SHOWN = [line for path in documents() for line in (*in_blocks(path), *inline(path))]
SOURCES = sorted([*ROOT.glob("broker/**/*.py"), *ROOT.glob("connectors/**/*.py")])
ADVICE = re.compile(r"(?:`|: |fix=\"|next: )crisis-broker ([a-z]+(?: [a-z]+)*)")
SHELL = {"&&", ">", "|", "||", ";"}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def faults(words: list[str], *, prose: bool = False) -> list[str]:
    """What does not exist of `crisis-broker` followed by these words."""
    node: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(node, "commands") and rest and not rest[0].startswith(("-", "<")):
        name = rest.pop(0)
        if name not in node.commands:
            return [name]
        node = node.commands[name]
    if prose:
        return []
    known = {"--help", "-h"}.union(*({*each.opts, *each.secondary_opts} for each in node.params))
    return [word for word in rest if word.startswith("-") and word.split("=")[0] not in known]


def our_words(text: str) -> list[list[str]]:
    """The words behind each `crisis-broker` of a command line."""
    found: list[list[str]] = []
    for word in shlex.split(text):
        if word.endswith("crisis-broker"):
            found.append([])
        elif word in SHELL and found:
            found.append(["--help"])
        elif found:
            found[-1].append(word)
    return found


@pytest.mark.parametrize("line", SHOWN, ids=str)
def test_every_command_line_in_a_document_can_be_typed(line: CommandLine) -> None:
    """Program, sub-command, option and target exist under the name that a document gives them."""
    program, *words = shlex.split(line.text)
    if program == "make":
        assert {word for word in words if "=" not in word} <= TARGETS
    elif program == "pytest":
        assert all((ROOT / word).exists() for word in words if not word.startswith("-"))
    else:
        assert [fault for words in our_words(line.text) for fault in faults(words)] == []


def test_documents_show_commands() -> None:
    """The search finds what stands there; one that finds nothing would prove nothing."""
    texts = {line.text for line in SHOWN}

    assert ".venv/bin/crisis-broker doctor" in texts
    assert "crisis-broker agreements explain" in texts
    assert "make demo" in texts
    assert len(texts) > 20


@pytest.mark.parametrize("name", commands())
def test_every_command_has_an_example_of_itself(name: str) -> None:
    """`--help` shows one line that can be copied, and it is about this very command."""
    example = example_of(commands()[name])

    assert example is not None
    assert example.startswith(f"crisis-broker {name}")
    assert [fault for words in our_words(example) for fault in faults(words)] == []


def test_messages_advise_only_what_exists() -> None:
    """A remedy in an error message is a command that can be typed."""
    advised = {
        (str(path.relative_to(ROOT)), found)
        for path in SOURCES
        for found in ADVICE.findall(path.read_text("utf-8"))
    }

    assert len(advised) > 10
    assert [each for each in advised if faults(each[1].split(), prose=True)] == []
