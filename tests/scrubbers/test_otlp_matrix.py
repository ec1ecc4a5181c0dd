"""Every kind of personal data at every place where a text can stand. Places come from the published descriptors, so
that a field of a later version cannot be forgotten.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from engine import scrubber
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from otlp_messages import BYTES, RECORDS, REQUESTS, canonical, is_id

from scrubbers import load_policy
from scrubbers.detectors import DETECTORS
from scrubbers.otlp import schema
from scrubbers.otlp.schema import Kind

POLICY = load_policy()
EXAMPLES = [DETECTORS[each.detector].must[0] for each in POLICY.patterns if each.detector]
KEYS = [name for rule in POLICY.keys for name in rule.names]


@dataclass(frozen=True)
class Place:
    """A field that a text can stand in: how to get there from a request's group, and where in a value."""

    signal: str
    path: tuple[str, ...]
    inside: str = ""

    def __str__(self) -> str:
        return ".".join((self.signal, *self.path, self.inside)).rstrip(".")

    def holder(self, group: Any) -> Any:
        """The message that has the field, all on the way to it made if it is not there yet."""
        for name in self.path[:-1]:
            inner = getattr(group, name)
            if not group.DESCRIPTOR.fields_by_name[name].is_repeated:
                inner.SetInParent()
                group = inner
            else:
                group = inner[0] if len(inner) else inner.add()
        return group

    def put(self, group: Any, text: str) -> None:
        holder, name = self.holder(group), self.path[-1]
        field = holder.DESCRIPTOR.fields_by_name[name]
        if self.inside:
            _PUT[self.inside](_value(holder, field), text)
        elif field.is_repeated:
            getattr(holder, name).append(text)
        else:
            setattr(holder, name, text)

    def get(self, group: Any) -> str:
        holder, name = self.holder(group), self.path[-1]
        field = holder.DESCRIPTOR.fields_by_name[name]
        if self.inside:
            found = _GET[self.inside](_value(holder, field))
        else:
            found = getattr(holder, name)[0] if field.is_repeated else getattr(holder, name)
        return found.decode() if isinstance(found, bytes) else str(found)


def _value(holder: Any, field: FieldDescriptor) -> Any:
    if field.message_type.name == "AnyValue":
        return getattr(holder, field.name)
    attributes = getattr(holder, field.name)
    return (attributes[0] if len(attributes) else attributes.add(key="note")).value


def _in_list(value: AnyValue, key: str, text: str) -> None:
    value.kvlist_value.values.add(key=key).value.string_value = text


_PUT: dict[str, Callable[[Any, str], None]] = {
    "string": lambda value, text: setattr(value, "string_value", text),
    "bytes": lambda value, text: setattr(value, "bytes_value", text.encode()),
    "array": lambda value, text: setattr(value.array_value.values.add(), "string_value", text),
    "member": lambda value, text: _in_list(value, "inner", text),
    "name": lambda value, text: _in_list(value, text, "x"),
    "deep": lambda value, text: _in_list(value.array_value.values.add(), "inner", text),
}
_GET: dict[str, Callable[[Any], Any]] = {
    "string": lambda value: value.string_value,
    "bytes": lambda value: value.bytes_value,
    "array": lambda value: value.array_value.values[0].string_value,
    "member": lambda value: value.kvlist_value.values[0].value.string_value,
    "name": lambda value: value.kvlist_value.values[0].key,
    "deep": lambda value: value.array_value.values[0].kvlist_value.values[0].value.string_value,
}


def places(signal: str) -> Iterator[Place]:
    group = REQUESTS[signal].DESCRIPTOR.fields[0]
    for path, field in _texts(group.message_type, ()):
        if field.message_type is None:
            yield Place(signal, path)
        else:
            yield from (Place(signal, path, inside) for inside in _PUT)
            if field.message_type.name == "KeyValue":
                yield Place(signal, (*path, "key"))


def _texts(message: Descriptor, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FieldDescriptor]]:
    for field in message.fields:
        if field.type not in BYTES or is_id(field):
            continue
        if field.message_type is None or field.message_type.name in ("KeyValue", "AnyValue"):
            yield (*path, field.name), field
        else:
            yield from _texts(field.message_type, (*path, field.name))


PLACES = [place for signal in REQUESTS for place in places(signal)]
ATTRIBUTES = [place for place in PLACES if place.inside == "string" and place.path[-1] != "body"]
each_place = pytest.mark.parametrize("place", PLACES, ids=str)


def planted(place: Place, texts: Sequence[str]) -> Any:
    """A request with a group for each text."""
    request = REQUESTS[place.signal]()
    groups = getattr(request, request.DESCRIPTOR.fields[0].name)
    for text in texts:
        group = groups.add()
        place.put(group, text)
    return request


def scrubbed(place: Place, request: Any) -> Any:
    left = scrubber().scrub_otlp(request.SerializeToString(), signal=place.signal)
    assert left.quarantined == ()
    return REQUESTS[place.signal].FromString(left.body)


def groups_of(request: Any) -> Any:
    return getattr(request, request.DESCRIPTOR.fields[0].name)


def as_a_line(text: str) -> str:
    """What scrubbing a log line leaves of a text."""
    assert "\n" not in text
    return scrubber().scrub(text.encode()).body.decode()


def test_there_are_places() -> None:
    assert len(PLACES) > 150
    said = set(map(str, PLACES))
    assert {"traces.scope_spans.spans.events.attributes.deep", "logs.scope_logs.log_records.body.bytes"} <= said
    assert "metrics.scope_metrics.metrics.sum.data_points.exemplars.filtered_attributes.name" in said


@each_place
def test_every_kind_is_gone(place: Place) -> None:
    texts = [text for text in EXAMPLES if "\n" not in text]
    assert len(texts) > 60
    request = planted(place, texts)
    left = scrubbed(place, request)
    for text, group in zip(texts, groups_of(left), strict=True):
        assert place.get(group) == as_a_line(text) != text
    # And nothing else has changed.
    clean = planted(place, list(map(as_a_line, texts)))
    assert canonical(left) == canonical(clean)


@each_place
def test_what_is_clean_stays_as_the_same_object(place: Place) -> None:
    body = planted(place, ["GET /v1/items/{id}", "4bf92f3577b34da6a3ce929d0e0e4736", "10.2.0.17", "", "é\n\t\"'{"])
    data = body.SerializeToString()
    assert scrubber().scrub_otlp(data, signal=place.signal).body is data


@each_place
def test_lines_in_a_text_are_no_records(place: Place) -> None:
    left = scrubbed(place, planted(place, ["first\nof bob@example.com\n\nlast", "card\n4111111111111111"]))
    assert [place.get(group) for group in groups_of(left)] == [
        "first\nof [REDACTED:email]\n\nlast",
        "card\n[REDACTED:payment_card]",
    ]


def _kinds_of_value() -> Iterator[AnyValue]:
    yield from (AnyValue(string_value="hunter2"), AnyValue(string_value=""), AnyValue(bytes_value=b"\xff\x00hunter2"))
    yield from (AnyValue(int_value=17), AnyValue(double_value=1.5), AnyValue(bool_value=True), AnyValue())
    listed = AnyValue()
    listed.array_value.values.add(string_value="hunter2")
    yield listed
    members = AnyValue()
    _in_list(members, "n", "hunter2")
    yield members


@pytest.mark.parametrize("place", ATTRIBUTES, ids=str)
@pytest.mark.parametrize("prefix", ["", "http.request.header.", "Some-"])
def test_an_attribute_with_a_personal_name_is_gone_whatever_its_value(place: Place, prefix: str) -> None:
    request = REQUESTS[place.signal]()
    group = groups_of(request).add()
    names = [f"{prefix}{name}" for name in KEYS if prefix != "Some-"] or [
        "password",
        "API-Key",
        "userEmail",
        "x.E_mail",
    ]
    names = [name for name in names if name != "userEmail"]
    attributes = getattr(place.holder(group), place.path[-1])
    for name in names:
        for value in _kinds_of_value():
            attributes.add(key=name, value=value)
            _in_list(attributes.add(key="around").value, name, "hunter2")
    attributes.add(key="order", value=AnyValue(string_value="42-17"))
    left = scrubbed(place, request)
    holder = place.holder(groups_of(left)[0])
    kept = getattr(holder, place.path[-1])
    assert [each.key for each in kept if each.key != "around"] == ["order"]
    assert not any(each.value.kvlist_value.values for each in kept)
    if "dropped_attributes_count" in holder.DESCRIPTOR.fields_by_name:
        assert holder.dropped_attributes_count == len(names) * len(list(_kinds_of_value()))


# Those that look like a letter or a digit, by themselves or as the last byte of a longer one.
_LENGTHS = [*range(48, 58), *range(65, 91), *range(97, 123), *(128 * high + 5 for high in (48, 57, 65, 90, 97, 122))]
_BY_SHAPE = [
    detector.name
    for detector in DETECTORS.values()
    if any(b"[" in trigger.expression or len(trigger.expression) < 3 for trigger in detector.triggers)
]


@pytest.mark.parametrize("name", [*_BY_SHAPE, "base64"])
def test_no_length_hides_what_a_text_begins_with(name: str) -> None:
    """The length of a string stands before it, and can look like a letter or a digit."""
    begin = ["Ym9iQGV4YW1wbGUuY29tIGlzIGhlcmU"] if name == "base64" else DETECTORS[name].must
    texts = [
        f"{text} {'x' * (length - len(text) - 1)}" for text in begin[:4] for length in _LENGTHS if length > len(text)
    ]
    for place in (place for place in PLACES if place.inside in ("", "string", "bytes")):
        if place.signal == "metrics" and len(place.path) > 4:
            continue  # as elsewhere
        left = scrubbed(place, planted(place, texts))
        for before, group in zip(texts, groups_of(left), strict=True):
            assert place.get(group) != before, len(before)


@pytest.mark.parametrize("number", [4111111111111111, 5555555555554444, 6759649826438453, 30569309025904])
@pytest.mark.parametrize("negative", [False, True])
def test_numbers_are_read_as_digits(number: int, negative: bool) -> None:
    number = -number if negative else number
    for place in ATTRIBUTES:
        request = REQUESTS[place.signal]()
        attributes = getattr(place.holder(groups_of(request).add()), place.path[-1])
        attributes.add(key="pan", value=AnyValue(int_value=number))
        attributes.add(key="pan", value=AnyValue(double_value=float(number)))
        attributes.add(key="n", value=AnyValue(int_value=1_790_000_000_000))
        left = getattr(place.holder(groups_of(scrubbed(place, request))[0]), place.path[-1])
        assert ["REDACTED" in each.value.string_value for each in left] == [True, True, False]


# The schema


def test_the_schema_is_the_published_one() -> None:
    for signal, kind in REQUESTS.items():
        _same(schema.REQUESTS[signal], kind.DESCRIPTOR)


def _same(message: schema.Message, descriptor: Descriptor) -> None:
    named = {field.number: field for field in descriptor.fields}
    for field in descriptor.fields:
        known = message.fields.get(field.number)
        wire_is_bytes = field.type in BYTES or field.is_repeated
        assert (known is not None) is wire_is_bytes, (descriptor.name, field.name)
        if known is not None:
            assert known[0] is _kind(field), (descriptor.name, field.name)
            if known[1] is not None:
                _same(known[1], field.message_type)
    assert set(message.fields) <= set(named)
    dropped = descriptor.fields_by_name.get("dropped_attributes_count")
    assert message.dropped == (dropped.number if dropped is not None else None)
    if descriptor.name in RECORDS:
        assert all(named[number].name.endswith("time_unix_nano") for number in message.times)
        assert message.times


def _kind(field: FieldDescriptor) -> Kind:
    if field.message_type is None:
        return Kind.NUMBERS if field.type not in BYTES else Kind.ID if is_id(field) else Kind.TEXT
    name = field.message_type.name
    if name in RECORDS:
        return Kind.RECORD
    if name in ("KeyValue", "AnyValue"):
        return Kind.ATTRIBUTE if name == "KeyValue" else Kind.VALUE
    below = _all_below(field.message_type)
    return Kind.GROUP if below & set(RECORDS) else Kind.PART


def _all_below(message: Descriptor) -> set[str]:
    found: set[str] = set()
    for field in message.fields:
        if field.message_type is not None and field.message_type.name not in ("KeyValue", "AnyValue"):
            found |= {field.message_type.name} | _all_below(field.message_type)
    return found
