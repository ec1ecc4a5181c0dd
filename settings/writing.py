"""A model as the YAML that means it, defaults written out, and nothing in it that came by `${…}`."""

import io
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML

from settings.document import Node, Path, Plain
from settings.loader import hidden_values, mask


def to_yaml(model: BaseModel, root: Node | None = None) -> str:
    """YAML of `model`; `root` is the tree it was read from: values substituted there are shown as they were written."""
    data: Plain = model.model_dump(mode="json", by_alias=True)
    if root is not None:
        data = _mask(data, hidden_values(root))
        for path, written in _substituted(root, ()):
            _put(data, path, written)
    return as_yaml(data)


def as_yaml(data: Any) -> str:
    """YAML of plain data (or of ruamel.yaml's own, with comments), in the form that all our files have."""
    out = io.StringIO()
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 1 << 31  # no folding: a quoted text that is folded behind a backslash would be read otherwise
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(data, out)
    return out.getvalue()


def _substituted(node: Node, path: Path) -> Iterator[tuple[Path, str]]:
    if node.written is not None:
        yield path, node.written
    for key, child in node.children():
        yield from _substituted(child, (*path, key))


def _put(data: Plain, path: Path, written: str) -> None:
    """Write the text at `path`, or as near to it as the model kept the file's form."""
    for key, below in zip(path, (*path[1:], None), strict=True):
        if isinstance(data, dict) and key in data:
            holder: Any = data
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            holder = data
        else:
            return
        if below is None or not isinstance(holder[key], (dict, list)):
            holder[key] = written
            return
        data = holder[key]


def _mask(data: Plain, secrets: set[str]) -> Plain:
    """The net below values that a validator moved or reshaped."""
    if isinstance(data, dict):
        return {key: _mask(value, secrets) for key, value in data.items()}
    if isinstance(data, list):
        return [_mask(value, secrets) for value in data]
    return mask(data, secrets) if isinstance(data, str) else data
