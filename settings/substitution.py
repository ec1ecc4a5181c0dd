"""`${NAME}`, `${NAME:-default}` and `${file:/path}` inside the strings of a settings file; `$${` stands for `${`."""

import re
from collections.abc import Mapping
from pathlib import Path

from settings.document import Node, show_path
from settings.document import Path as KeyPath
from settings.errors import Problem

MAX_FILE_BYTES = 1 << 16

_PLACE = re.compile(r"(\$)?\$\{([^}]*)(\})?")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def substitute(root: Node, name: str, env: Mapping[str, str]) -> list[Problem]:
    """Replace in place, marking every node that was touched; returns what could not be replaced."""
    problems: list[Problem] = []
    done: set[int] = set()  # aliases let one node hang in several places

    def visit(node: Node, path: KeyPath) -> None:
        if id(node) in done:
            return
        done.add(id(node))
        if isinstance(node.value, str) and "${" in node.value:
            written = node.value
            try:
                node.value = _PLACE.sub(lambda match: _value(match, env), written)
            except LookupError as error:
                problems.append(Problem(name, node.line, node.column, show_path(path), str(error.args[0])))
                node.value = ""
            node.written = written
        for key, child in node.children():
            visit(child, (*path, key))

    visit(root, ())
    return problems


def _value(match: re.Match[str], env: Mapping[str, str]) -> str:
    escaped, body, closed = match.groups()
    if escaped:
        return match[0][1:]
    if not closed:
        raise LookupError("a ${ has no }; close it, or write $${ for the characters themselves")
    if body.startswith("file:"):
        return _file(body.removeprefix("file:"))
    variable = _VARIABLE.fullmatch(body)
    if variable is None:
        raise LookupError(
            "a ${…} is not understood; write ${NAME}, ${NAME:-default} or ${file:/path}, or $${ for the characters"
        )
    key, default = variable.groups()
    if default is None and key not in env:
        raise LookupError(f"the environment variable {key} is not set; set it, or write ${{{key}:-default}}")
    return env.get(key) or default or ""


def _file(text: str) -> str:
    """The file's text without the line end that editors and `kubectl` leave at its end."""
    path = Path(text)
    if not path.is_absolute():
        raise LookupError("the path of a ${file:…} does not begin with /; write it whole")
    try:
        if path.exists() and not path.is_file():
            raise LookupError(f"{text} is not a regular file; name the file that holds the value")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the path is not valid"
        raise LookupError(f"{text} cannot be read: {why}; make it readable or name another file") from None
    if len(content) > MAX_FILE_BYTES:
        raise LookupError(f"{text} is larger than {MAX_FILE_BYTES} bytes; name a file that holds one value")
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise LookupError(f"{text} is not UTF-8 text; name a file that holds one value as text") from None
