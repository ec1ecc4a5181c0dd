"""The page about the command line, from the commands themselves."""

from collections.abc import Iterator
from typing import Any

import typer.main

from collector.cli.app import app
from collector.cli.exits import MEANING
from docs.rendering.markdown import code, fence, page, sentence, table


def command_line() -> str:
    parts = [_command(path, command) for path, command in commands()]
    return page("Command line", "How each command ends is told in [exit codes](exit-codes.md).", *parts)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, groups before what is in them."""
    yield from _walk("sluicegate", typer.main.get_command(app))


def exit_codes() -> str:
    rows = [(code(str(each.value)), each.name.lower().replace("_", " "), meaning) for each, meaning in MEANING.items()]
    return page(
        "Exit codes",
        "What a command tells by its end; the message on stderr says more.",
        table(("code", "name", "meaning"), rows),
    )


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _walk(f"{path} {name}", below)


def _command(path: str, command: Any) -> str:
    context = command.context_class(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"## {code(path)}", sentence(command.help or ""), fence("text", usage)]
    if below := getattr(command, "commands", None):
        rows = [(code(f"{path} {name}"), one.help or "") for name, one in below.items()]
        parts.append(table(("command", ""), rows))
    told = [(each.param_type_name, each.get_help_record(context)) for each in command.get_params(context)]
    by_kind = {
        kind: [(code(record[0]), record[1]) for what, record in told if record and what == kind]
        for kind in ("argument", "option")
    }
    parts += [table((kind, ""), rows) for kind, rows in by_kind.items() if rows]
    if command.epilog:
        parts.append(_examples(command.epilog))
    return "\n\n".join(parts)


def _examples(epilog: str) -> str:
    """The examples as a block of commands, and what is said below them."""
    lines = epilog.splitlines()
    shown = [line[4:] for line in lines if line.startswith("    ")]
    words = [line for line in lines if line and not line.startswith("    ") and line != "Examples:"]
    return "\n\n".join(filter(None, [fence("text", "\n".join(shown)), "\n".join(words)]))
