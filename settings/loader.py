"""File → frozen model: parse, substitute, validate, and say everything that is wrong at once."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from settings.document import MAX_BYTES, Document, Node, parse, show_path
from settings.errors import Problem, SettingsError
from settings.messages import message
from settings.shape import Shape
from settings.substitution import substitute

Model = TypeVar("Model", bound=BaseModel)


def load(path: str | Path, model: type[Model], *, env: Mapping[str, str] | None = None) -> Model:
    """Read the YAML file at `path` into `model`; raises SettingsError. `env`: instead of the process's environment."""
    return validate(read(path, env=env), model, str(path))


def read(path: str | Path, *, env: Mapping[str, str] | None = None) -> Document:
    """The tree of a YAML file, `${…}` replaced, to be validated and shown; raises SettingsError if it is no YAML."""
    return tree(read_text(path), str(path), env, Path(path).parent)


def loads(text: str, model: type[Model], *, name: str = "<text>", env: Mapping[str, str] | None = None) -> Model:
    """Read YAML text into `model`; `name` stands for the file in errors. Raises SettingsError."""
    return validate(tree(text, name, env), model, name)


def read_text(path: str | Path) -> str:
    """The text of a settings file; raises SettingsError when it cannot be read, is too large, or is not UTF-8."""
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        text = f"cannot be read: {error.strerror}; name a file that can"
        raise SettingsError([Problem(name, 0, 0, "", text)]) from None
    if len(content) > MAX_BYTES:
        raise SettingsError([Problem(name, 0, 0, "", f"is larger than {MAX_BYTES} bytes, the most that is read")])
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError([Problem(name, line, 0, "", "is not UTF-8 text here; save it as UTF-8")]) from None


def tree(text: str, name: str, env: Mapping[str, str] | None = None, folder: Path | None = None) -> Document:
    """Parse and substitute; a relative `${file:…}` starts from `folder` (none: the working directory)."""
    root = parse(text, name)
    substitute(root, name, folder or Path(), os.environ if env is None else env)
    return root


def validate(root: Node, model: type[Model], name: str) -> Model:
    """Check a tree against a model; `name` stands for the file in errors. Raises SettingsError."""
    return validate_data(root.plain(), root, model, name)


def validate_data(data: Any, root: Node, model: type[Model], name: str) -> Model:
    """Check data that was made of the tree and of other files; problems are placed in the tree where they fit."""
    before = root.problems if isinstance(root, Document) else []
    try:
        checked = model.model_validate(data)
    except ValidationError as error:
        shape = Shape.of(model)
        secrets = hidden_values(root)
        # Members of a plain union fail one by one; the person sees one line for each place and message.
        found = {_problem(details, root, shape, name, secrets) for details in error.errors(include_url=False)}
        raise SettingsError([*before, *(problem for problem in found if problem)]) from None
    if before:
        raise SettingsError(before)
    return checked


def hidden_values(node: Node) -> set[str]:
    """What came in by `${…}`: never shown."""
    found = {str(node.value)} if node.written is not None and node.value else set()
    return found.union(*(hidden_values(child) for _, child in node.children()))


def mask(text: str, secrets: Iterable[str]) -> str:
    """A net below validators that quote a value against the rule: longer values first, so that none is left in half."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) > 2:
            text = text.replace(secret, "***")
    return text


def _problem(details: ErrorDetails, root: Node, shape: Shape, name: str, secrets: set[str]) -> Problem | None:
    """Find the place in the file that one of pydantic's errors is about; none if it only follows from others."""
    loc = details["loc"]
    spelled = len(loc) - details.get("ctx", {}).get("below", 0)  # from here on `refuse` wrote the path, without tags
    path: list[str | int] = []
    node: Node | None = root
    place = root  # the nearest node that stands in the file
    for index, part in enumerate(loc):
        if part == "[key]":
            break
        if index < spelled and shape.is_tag(part):
            if index + 1 < len(loc):  # else the value itself is of the wrong kind, and every member may be told
                shape = shape.member(part)
            continue
        shape = shape.below(part)
        path.append(part)
        node = dict(node.children()).get(part) if node else None
        place = node or place
    if place.unknown or (node and _comes_of_another(details, node)):
        return None
    text = mask(message(details, node, shape), secrets)
    return Problem(name, place.line, place.column, show_path(tuple(path)), text)


def _comes_of_another(details: ErrorDetails, node: Node) -> bool:
    """Whether this is only said because something below is wrong, which is told for itself."""
    context = details.get("ctx", {})
    if details["type"] == "too_short":  # pydantic counts the right ones
        return len(list(node.children())) >= int(context["min_length"])
    tag = str(context.get("discriminator", "")).strip("'")
    return any(key == tag and child.unknown for key, child in node.children())
