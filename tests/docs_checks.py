"""What the documentation must agree with: the facts of a task, and the options of the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from unipath_bench.cli import commands
from unipath_bench.cli.app import app
from unipath_bench.schema.task import TaskSpec

DOCS = Path(__file__).parents[1] / "docs"
README = DOCS.parent / "README.md"


def facts(spec: TaskSpec) -> str:
    """The table at the head of a task's page, from its YAML file."""
    values = ", ".join(f"`{name}` ({value.direction} is better)" for name, value in spec.values.items())
    rows = {
        "task": f"`{spec.name}`, tier {spec.tier}, version {spec.version}",
        "metric": f"`{spec.metric}`",
        "encoder": f"`{spec.encoder}`",
        "suites": spec.suites,
        "headline": f"`{spec.headline}`",
        "values": values,
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows.items())])


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language in a Markdown text."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, flags=re.MULTILINE | re.DOTALL)


def shell_commands(text: str) -> Iterator[list[str]]:
    """The words of every ``unipath-bench`` command in the bash blocks of a Markdown text."""
    for block in blocks(text, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if "unipath-bench" in words:
                yield words[words.index("unipath-bench") :]


def complaints(words: list[str]) -> list[str]:
    """What the command line would not know of a command: its name, an option, or an option without its value."""
    commands.attach(app)
    command: Any = typer.main.get_command(app)
    context = command.make_context("unipath-bench", [], resilient_parsing=True)
    rest = words[1:]
    while rest and hasattr(command, "get_command") and not rest[0].startswith("-"):
        found = command.get_command(context, rest[0])
        if found is None:
            return [f"no command {rest[0]}"]
        command, rest = found, rest[1:]
    known = {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}
    problems = []
    while rest:
        word, _, value = rest.pop(0).partition("=")
        if word in ("--help", "-h", "--version") or not word.startswith("-") or not word.strip("-"):
            continue
        if word not in known:
            problems.append(f"{command.name} has no option {word}")
        elif not known[word].is_flag and not value:
            if not rest:
                problems.append(f"{word} has no value")
            else:
                rest.pop(0)
    return problems
