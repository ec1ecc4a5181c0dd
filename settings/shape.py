"""Which keys and values a model takes at a place: what errors suggest."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, WithJsonSchema
from pydantic.fields import FieldInfo


@dataclass(slots=True, frozen=True)
class Member:
    """One alternative of an annotation: the bare type and what `Annotated` says of it."""

    kind: Any
    metadata: tuple[Any, ...] = ()

    @property
    def model(self) -> type[BaseModel] | None:
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, BaseModel) else None

    def tags(self) -> tuple[str, ...]:
        """The names by which pydantic may call this member of a union."""
        if self.model:
            literals = [field.annotation for field in self.model.model_fields.values() if is_literal(field.annotation)]
            return (*(str(value) for literal in literals for value in get_args(literal)), self.model.__name__)
        name = getattr(get_origin(self.kind) or self.kind, "__name__", "")
        return (name, name.lower())


@dataclass(slots=True, frozen=True)
class Shape:
    """What may stand at one place of the file."""

    members: tuple[Member, ...]
    siblings: tuple[str, ...] = ()  # the keys known beside it

    @classmethod
    def of(cls, annotation: Any, siblings: tuple[str, ...] = ()) -> "Shape":
        return cls(tuple(_members(annotation)), siblings)

    def is_tag(self, part: str | int) -> bool:
        """Whether pydantic put `part` into an error's path only to say which member of a union it tried."""
        return len(self.members) > 1 and isinstance(part, str)

    def member(self, tag: str | int) -> "Shape":
        text = str(tag)
        fits = [member for member in self.members if text in member.tags() or text.split("[")[0] in member.tags()]
        return Shape(tuple(fits[:1] or self.members[:1]), self.siblings)

    def below(self, part: str | int) -> "Shape":
        """The shape of a member, or of an item of a list."""
        for member in self.members:
            if member.model:
                fields = {field.alias or name: field for name, field in member.model.model_fields.items()}
                found = fields.get(str(part))
                return Shape.of(annotation(found), tuple(fields)) if found else Shape((), tuple(fields))
            origin, arguments = get_origin(member.kind), get_args(member.kind)
            if isinstance(origin, type) and arguments:
                return Shape.of(arguments[-1] if issubclass(origin, Mapping) else arguments[0])
        return Shape(())

    def choices(self) -> tuple[str, ...]:
        return tuple(choice for member in self.members for choice in _choices(member.kind))

    def tags(self, discriminator: str) -> tuple[str, ...]:
        """The values of `type` (or what the discriminator is called) that the members of a tagged union stand for."""
        found = [member.model.model_fields[discriminator].annotation for member in self.members if member.model]
        return tuple(str(value) for literal in found for value in get_args(literal))

    def expected(self) -> str:
        return " or ".join(dict.fromkeys(map(_expected, self.members))) or "a value"


def annotation(field: FieldInfo) -> Any:
    """A field's annotation whole again: pydantic keeps the outermost metadata apart."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def spell(value: Any) -> str:
    """As it is written in YAML."""
    return {True: "true", False: "false", None: "null"}[value] if isinstance(value, bool | None) else str(value)


def _choices(kind: Any) -> tuple[str, ...]:
    if is_literal(kind):
        return tuple(map(spell, get_args(kind)))
    return tuple(spell(one.value) for one in kind) if isinstance(kind, type) and issubclass(kind, Enum) else ()


def _members(kind: Any, metadata: tuple[Any, ...] = ()) -> Iterator[Member]:
    if get_origin(kind) is Annotated:
        inner, *more = get_args(kind)
        yield from _members(inner, (*metadata, *more))
    elif get_origin(kind) in (Union, types.UnionType):
        for part in get_args(kind):
            yield from _members(part, metadata)
    elif kind is not type(None):
        yield Member(kind, metadata)


_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text (in quotes, if it looks like something else)",
    timedelta: "a duration",
}


def _expected(member: Member) -> str:
    examples = [text for data in member.metadata if isinstance(data, WithJsonSchema) for text in _examples(data)]
    if examples:
        return f"a value such as {examples[0]}"
    if choices := _choices(member.kind):
        return f"one of {', '.join(choices)}"
    origin = get_origin(member.kind) or member.kind
    if member.model or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return "a mapping (`key: value` lines below it)"
    if origin in {list, tuple, set, frozenset}:
        return "a list (lines below it that begin with `- `)"
    return _WORDS.get(origin, "text" if origin not in _WORDS else "a value")


def _examples(schema: WithJsonSchema) -> list[str]:
    return list((schema.json_schema or {}).get("examples", []))
