"""YAML 1.2 text → a tree of nodes that remember where they stood.

The tree is built from parser events with a stack of our own, so that a file too deep, too large or multiplying itself
by aliases is refused before it costs anything. Scalars follow the YAML 1.2 core schema: `no`, `on` and `010` mean what
they look like. All mapping keys are text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from settings.errors import Problem, SettingsError

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 100_000  # aliases counted each time they stand for something

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
Path: TypeAlias = tuple[str | int, ...]


@dataclass(slots=True, eq=False)
class Node:
    """One value of the file and its place; `line` and `column` count from 1 and are those of its key, if it has one."""

    line: int
    column: int
    value: "bool | int | float | str | list[Node] | dict[str, Node] | None"
    written: str | None = None
    """The text as written, where a `${…}` in it was replaced: the value itself is then never shown."""
    unknown: bool = False
    """Its `${…}` could not be replaced: nothing can be said of the value, which is no text any more."""

    def children(self) -> Iterator[tuple[str | int, "Node"]]:
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from enumerate(self.value)

    @classmethod
    def of(cls, data: Plain) -> "Node":
        """The tree of values that come from no file."""
        if isinstance(data, dict):
            return cls(0, 0, {key: cls.of(value) for key, value in data.items()})
        if isinstance(data, list):
            return cls(0, 0, [cls.of(value) for value in data])
        return cls(0, 0, data)

    def plain(self) -> Plain:
        """The value without places, for pydantic; an unknown one is an object that fits nowhere."""
        if self.unknown:
            return cast("Plain", UNKNOWN)
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


UNKNOWN = object()


@dataclass(slots=True, eq=False)
class Document(Node):
    """The root of a file, and what is wrong in it so far: `validate` tells that together with the rest."""

    problems: list[Problem] = field(default_factory=list)


def show_path(path: Path) -> str:
    """`("sources", "app", "paths", 0)` → `sources.app.paths[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def parse(text: str, name: str) -> Document:
    """Read one YAML document; an empty one is an empty mapping. Raises SettingsError where it cannot be read on."""
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_BYTES:
        raise SettingsError([Problem(name, 0, 0, "", f"is {size} bytes; at most {MAX_BYTES} are read")])
    composer = _Composer(name)
    try:
        for event in YAML(typ="rt", pure=True).parse(text.removeprefix("\ufeff")):
            composer.take(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        said = (error.problem or error.context or "cannot be read").replace("\\t", "tab")
        written = text.split("\n")[line - 1] if line else ""
        mend = "check the indent and the quotes here and in the line before"
        if "tab" in said:
            mend = "indent with spaces"
        elif "${" in written:
            mend = "put the text that holds the ${…} in quotes"
        composer.refuse(line, column, f"is not YAML: {said}; {mend}")
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        composer.refuse(line, 0, "holds a control character; write it as an escape")
    except (YAMLError, ValueError) as error:
        # A few of the parser's refusals carry no place (for instance a %YAML directive of another major version).
        composer.refuse(0, 0, f"is not YAML: {type(error).__name__}")
    root = composer.root
    if root is None or root.value is None:
        root = Node(1, 1, {})
    return Document(root.line, root.column, root.value, problems=composer.problems)


class _Composer:
    """Takes parser events one by one and grows the tree."""

    def __init__(self, name: str) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._name = name
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}  # with the number of nodes each stands for
        self._count = 0

    def refuse(self, line: int, column: int, message: str) -> NoReturn:
        """Stop where nothing after it can be made sense of."""
        raise SettingsError([*self.problems, Problem(self._name, line, column, "", message)]) from None

    def take(self, event: Any) -> None:
        kind = type(event).__name__
        if kind == "DocumentStartEvent" and self.root is not None:
            self._stop(event, "a second document begins here; a settings file holds one")
        elif kind == "ScalarEvent":
            self._add(event, self._scalar(event), 1)
        elif kind == "AliasEvent":
            self._alias(event)
        elif kind in {"MappingStartEvent", "SequenceStartEvent"}:
            if len(self._open) >= MAX_DEPTH:
                self._stop(event, f"is nested more than {MAX_DEPTH} levels deep")
            self._tag(event, {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
            mark = event.start_mark
            node = Node(mark.line + 1, mark.column + 1, {} if kind.startswith("Mapping") else [])
            self._open.append(_Open(event, node, self._count))
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            frame = self._open.pop()
            self._add(frame.event, frame.node, self._count - frame.count + 1)

    def _add(self, event: Any, node: Node, nodes: int) -> None:
        """Hang a finished node where it belongs: as the root, an item, a key, or the value of the last key."""
        self._count += 1
        if self._count > MAX_NODES:
            self._stop(event, f"holds more than {MAX_NODES} values, those repeated by aliases counted")
        if event.anchor:
            self._anchors[event.anchor] = (node, nodes)
        self._hang(event, node)

    def _hang(self, event: Any, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        frame = self._open[-1]
        if isinstance(frame.node.value, list):
            frame.node.value.append(node)
        elif isinstance(frame.node.value, dict):
            if frame.skips:
                frame.skips = False  # the value of what cannot be a key
                return
            if frame.key is None:
                frame.key = self._key(event, node)
                frame.skips = frame.key is None
                frame.mark = (node.line, node.column)
                return
            key, frame.key = frame.key, None
            if key in frame.node.value:
                first = frame.node.value[key].line
                self._note(*frame.mark, key, f"stands twice, first in line {first}; keep one of them")
            else:
                # An aliased node may hang in several places; each place gets its own line.
                frame.node.value[key] = Node(*frame.mark, node.value)

    def _key(self, event: Any, node: Node) -> str | None:
        if isinstance(node.value, (dict, list)) or type(event).__name__ != "ScalarEvent":
            self._note(node.line, node.column, None, "a list or mapping stands as a key; keys are plain text")
            return None
        return str(event.value)

    def _alias(self, event: Any) -> None:
        if any(frame.event.anchor == event.anchor for frame in self._open):
            self._stop(event, f"the alias *{event.anchor} stands inside its own anchor; write the values out")
        if event.anchor not in self._anchors:
            self._stop(
                event, f"the alias *{event.anchor} has no anchor before it; write &{event.anchor} where it begins"
            )
        node, nodes = self._anchors[event.anchor]
        self._count += nodes - 1
        mark = event.start_mark
        event.anchor = None
        self._add(event, Node(mark.line + 1, mark.column + 1, node.value), nodes)

    def _scalar(self, event: Any) -> Node:
        mark = event.start_mark
        tag = self._tag(event, {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null")})
        text = str(event.value)
        is_plain = event.implicit[0] or (tag is not None and not tag.endswith(":str") and tag != "!")
        return Node(mark.line + 1, mark.column + 1, _resolve(text) if is_plain else text)

    def _tag(self, event: Any, known: set[str]) -> str | None:
        tag = None if event.ctag is None else str(event.ctag)
        if tag not in {None, "!", *known}:
            self._note(
                event.start_mark.line + 1, event.start_mark.column + 1, None, "has a tag nobody reads; remove it"
            )
        return tag

    def _path(self) -> Path:
        path: list[str | int] = []
        for frame in self._open:
            if isinstance(frame.node.value, list):
                path.append(len(frame.node.value))
            elif frame.key is not None:
                path.append(frame.key)
        return tuple(path)

    def _note(self, line: int, column: int, key: str | None, message: str) -> None:
        path = self._path() if key is None else (*self._path(), key)
        self.problems.append(Problem(self._name, line, column, show_path(path), message))

    def _stop(self, event: Any, message: str) -> NoReturn:
        self._note(event.start_mark.line + 1, event.start_mark.column + 1, None, message)
        raise SettingsError(self.problems)


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    event: Any
    node: Node
    count: int
    key: str | None = None
    skips: bool = False
    mark: tuple[int, int] = (0, 0)


# YAML 1.2.2, section 10.3.2.
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,40}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


def _resolve(text: str) -> bool | int | float | str | None:
    if _NULL.fullmatch(text):
        return None
    if match := _BOOL.fullmatch(text):
        return match[1] is not None
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
