"""What a request says of its resources."""

from collections.abc import Iterator

from scrubbers.matching import Unscrubbable
from scrubbers.otlp.schema import REQUESTS, RESOURCE, Kind, Message
from scrubbers.otlp.values import Reader, text_of
from scrubbers.otlp.wire import BYTES, Malformed, fields


def resources(body: bytes, signal: str, names: frozenset[str]) -> Iterator[tuple[int, int, dict[str, str] | None]]:
    """The parts of a request that belong to one resource each: where they begin and end, and those of its attributes
    that are asked for; None if nothing is said of it. Raises Malformed.
    """
    message = REQUESTS[signal]
    start = 0
    for number, wire, _, at, stop in fields(body, 0, len(body)):
        kind, inner = message.fields.get(number, (None, None)) if wire == BYTES else (None, None)
        yield (
            start,
            stop,
            None if kind is not Kind.GROUP or inner is None else _attributes(body, at, stop, inner, names),
        )
        start = stop


def _attributes(body: bytes, at: int, end: int, message: Message, names: frozenset[str]) -> dict[str, str] | None:
    found: dict[str, str] | None = None
    inner = message.fields[RESOURCE][1]
    assert inner is not None
    for number, wire, _, start, stop in fields(body, at, end):
        if number != RESOURCE or wire != BYTES:
            continue
        found = found or {}
        try:
            for each, kind, _, begins, ends in fields(body, start, stop):
                if kind == BYTES and inner.fields.get(each, (None,))[0] is Kind.ATTRIBUTE:
                    attribute = Reader().attribute(body[begins:ends])
                    name = attribute.key.decode("utf-8", "replace")
                    if name in names:
                        found[name] = text_of(attribute.value)
        except (Malformed, Unscrubbable):
            continue  # what is to be read of it is read; the rest is for the scrubber
    return found
