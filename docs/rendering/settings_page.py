"""Pages about YAML files: every key of the models that they are read into."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MinLen
from pydantic.fields import FieldInfo

from docs.rendering.markdown import code, sentence, table
from settings import ByteSize, Duration, Secret, Settings, schema, show_bytes, show_duration

_BYTES = get_args(ByteSize)[1:]
_DURATION = get_args(Duration)[1:]


@dataclass(slots=True, frozen=True)
class Section:
    """A model and where in the file it stands: `sources.NAME`; `kind`: its `type`, where several may stand there."""

    path: str
    model: type[Settings]
    kind: str = ""

    @property
    def title(self) -> str:
        return f"{code(self.path)}{f', type {code(self.kind)}' if self.kind else ''}"


def sections(root: type[Settings]) -> list[Section]:
    """The models of a file in the order in which their keys stand in it, the file itself first."""
    return [Section("", root), *_below("", root)]


def keys(root: type[Settings], title: str) -> str:
    """All keys of a file, a table for each of its sections; `title` is that of the first."""
    return "\n\n".join(_section(section, title) for section in sections(root))


def _below(path: str, model: type[Settings]) -> Iterator[Section]:
    for name, field in model.model_fields.items():
        for place, member in _members(f"{path}.{name}".lstrip("."), field.annotation):
            kind = member.model_fields.get("type")
            yield Section(place, member, kind.default if kind else "")
            yield from _below(place, member)


def _members(path: str, annotation: Any) -> Iterator[tuple[str, type[Settings]]]:
    """The models in a field's type, with the place at which they stand."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield path, annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is dict:
        yield from _members(f"{path}.NAME", arguments[1])
    elif origin is tuple:
        yield from _members(f"{path}[]", arguments[0])
    elif origin is Annotated:
        yield from _members(path, arguments[0])
    elif origin in {Union, types.UnionType}:
        for argument in arguments:
            yield from _members(path, argument)


def _section(section: Section, title: str) -> str:
    properties = schema(section.model)["properties"]
    rows = []
    for name, field in section.model.model_fields.items():
        about = sentence(properties[name].get("description") or field.description or "")
        about, _, words = about.partition("Default: ")  # where it is no constant, the description tells it in words
        about = about or (f"Says that it is {code(section.kind)}." if name == "type" and section.kind else "")
        rows.append((code(name), _type(_annotated(field)), _default(field) or words.removesuffix("."), about))
    head = f"## {section.title if section.path else title}"
    return "\n\n".join([head, sentence(section.model.__doc__ or ""), table(("key", "type", "default", ""), rows)])


def _annotated(field: FieldInfo) -> Any:
    """The field's type with the limits that pydantic took out of it."""
    limits = tuple(field.metadata)
    return Annotated[field.annotation, *limits] if limits else field.annotation


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _unit(arguments[1:]) or f"{_type(arguments[0])}{_limits(arguments[1:])}"
    if origin is Literal:
        return " or ".join(code(str(value.value if isinstance(value, Enum) else value)) for value in arguments)
    if origin is dict:
        return f"{_type(arguments[1])}, by name"
    if origin is tuple:
        return f"list of {_type(arguments[0])}s"
    if origin in {Union, types.UnionType}:
        return " or ".join(dict.fromkeys(_type(one) for one in arguments if one is not types.NoneType))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(code(member.value) for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return "section"
    return {int: "integer", float: "number", bool: "true or false", str: "text", Secret: "secret text"}.get(
        annotation, "path"
    )


def _unit(metadata: tuple[Any, ...]) -> str:
    for marks, word, show in ((_BYTES, "size", show_bytes), (_DURATION, "duration", show_duration)):
        if marks[0] in metadata:
            return word + _limits(metadata, show)
    return ""


def _limits(metadata: tuple[Any, ...], show: Any = str) -> str:
    """What a value may be, in words."""
    words = []
    for one in metadata:
        for limit in getattr(one, "metadata", (one,)):  # a FieldInfo holds several
            match limit:
                case Ge(ge=least):
                    words.append(f"at least {show(least)}")
                case Gt(gt=least) if least == timedelta(0):
                    words.append("more than none")
                case Le(le=most):
                    words.append(f"at most {show(most)}")
                case MinLen(min_length=1):
                    words.append("not empty")
    return "".join(f", {word}" for word in words)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default_factory is not None or field.default is None:
        return ""
    return code(shown) if (shown := _shown(field.default, field)) else ""


def _shown(value: Any, field: FieldInfo) -> str:
    match value:
        case Settings() | ():
            return ""
        case timedelta():
            return show_duration(value)
        case bool():
            return str(value).lower()
        case int() if _BYTES[0] in field.metadata:
            return show_bytes(value)
        case dict() if value:
            return "{" + ", ".join(f"{name}: {_shown(one, field)}" for name, one in value.items()) + "}"
        case Enum():
            return str(value.value)
        case str() | int():
            return str(value)
        case _:
            return ""
