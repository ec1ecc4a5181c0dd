"""`${NAME}`, `${NAME:-default}` and `${file:path}` inside the strings of a settings file; `$${` stands for `${`.

The path of a file is relative to the folder of the settings file it stands in.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from settings.document import Document, Node, show_path
from settings.document import Path as KeyPath
from settings.errors import Problem

MAX_FILE_BYTES = 1 << 16

_PLACE = re.compile(r"(\$)?\$\{([^}]*)(\})?")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def substitute(document: Document, name: str, folder: Path, env: Mapping[str, str]) -> None:
    """Replace in place, marking every node that was touched; what could not be replaced is added to the problems, and
    its value is unknown from then on."""
    done: set[int] = set()  # aliases let one node hang in several places

    def visit(node: Node, path: KeyPath) -> None:
        if id(node) in done:
            return
        done.add(id(node))
        if isinstance(node.value, str) and "${" in node.value:
            written = node.value
            wrong: list[str] = []
            node.value = _PLACE.sub(lambda match: _value(match, folder, env, wrong), written)
            node.written, node.unknown = written, bool(wrong)
            document.problems += (
                Problem(name, node.line, node.column, show_path(path), message) for message in dict.fromkeys(wrong)
            )
        for key, child in node.children():
            visit(child, (*path, key))

    visit(document, ())


def _value(match: re.Match[str], folder: Path, env: Mapping[str, str], wrong: list[str]) -> str:
    try:
        return _replaced(match, folder, env)
    except LookupError as error:
        wrong.append(str(error.args[0]))
        return ""


def _replaced(match: re.Match[str], folder: Path, env: Mapping[str, str]) -> str:
    escaped, body, closed = match.groups()
    if escaped:
        return match[0][1:]
    if not closed:
        raise LookupError("a ${ has no }; close it, or write $${ for the characters themselves")
    if body.startswith("file:"):
        return _file(body.removeprefix("file:"), folder)
    variable = _VARIABLE.fullmatch(body)
    if variable is None:
        raise LookupError(
            "a ${…} is not understood; write ${NAME}, ${NAME:-default} or ${file:path}, or $${ for the characters"
        )
    key, default = variable.groups()
    if default is None and key not in env:
        raise LookupError(f"the environment variable {key} is not set; set it, or write ${{{key}:-default}}")
    return env.get(key) or default or ""


def _file(text: str, folder: Path) -> str:
    """The file's text without the line end that editors and `kubectl` leave at its end."""
    if not text:
        raise LookupError("a ${file:} names no file; write ${file:path}")
    path = folder / text
    try:
        if path.exists() and not path.is_file():
            raise LookupError(f"{path} is not a regular file; name the file that holds the value")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "the path is not valid"
        raise LookupError(f"{path} cannot be read: {why}; make it readable or name another file") from None
    if len(content) > MAX_FILE_BYTES:
        raise LookupError(f"{path} is larger than {MAX_FILE_BYTES} bytes; name a file that holds one value")
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise LookupError(f"{path} is not UTF-8 text; name a file that holds one value as text") from None
