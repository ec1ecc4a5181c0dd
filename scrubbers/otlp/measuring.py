"""How many records a request has, and of what time.

protobuf's own parser reads it, by descriptors that know groups, records and their times and nothing else: so it skips
all that is in the records, and makes no text of anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from scrubbers.otlp.schema import REQUESTS, Kind, Message
from scrubbers.otlp.wire import Malformed
from scrubbers.signals import Signal

MAX_BYTES = 64 << 20  # of a request


@dataclass(slots=True, frozen=True)
class Measure:
    """What a request holds: how many spans, log records or data points; the first and the last of their times, in
    nanoseconds since the epoch, 0 if none is given. A span's time is that of its start.
    """

    records: int
    first_time: int
    last_time: int


def measure(body: bytes, signal: Signal) -> Measure:
    """Measure a request, and see that it is one: well-formed down to the fields of its records. Raises Malformed."""
    if len(body) > MAX_BYTES:
        raise Malformed("it is larger than 64 MiB")
    message = REQUESTS[signal]
    try:
        request = _reader(signal).FromString(body)
    except DecodeError:
        raise Malformed("it is no well-formed request of this signal") from None
    times = [time for group in _groups(request, message) for time in _times(*group)]
    known = list(filter(None, times))
    return Measure(len(times), min(known, default=0), max(known, default=0))


def _groups(group: Any, message: Message) -> Iterator[tuple[Any, Message]]:
    """The lists of records in a group, each with what they are."""
    for number, (kind, inner) in message.fields.items():
        if kind is Kind.RECORD and inner is not None:
            yield getattr(group, _field(number)), inner
        elif kind is Kind.GROUP and inner is not None:
            for each in getattr(group, _field(number)):
                yield from _groups(each, inner)


def _times(records: Any, message: Message) -> list[int]:
    if len(message.times) == 1:
        return [record.time for record in records]
    return [record.time or record.else_time for record in records]


@cache
def _reader(signal: str) -> Any:
    """The class of messages that reads a request."""
    package = f"sluicegate.measure.{signal}"
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    _describe(REQUESTS[signal], file)
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{package}.{REQUESTS[signal].name}"))


def _describe(message: Message, file: FileDescriptorProto) -> None:
    if any(each.name == message.name for each in file.message_type):
        return
    described = file.message_type.add(name=message.name)
    for number, (kind, inner) in message.fields.items():
        if inner is not None and kind in (Kind.RECORD, Kind.GROUP):
            described.field.add(
                name=_field(number),
                number=number,
                type=FieldDescriptorProto.TYPE_MESSAGE,
                # A group of which there is one may come in parts: each has records.
                label=FieldDescriptorProto.LABEL_REPEATED,
                type_name=f".{file.package}.{inner.name}",
            )
            _describe(inner, file)
    for name, number in zip(("time", "else_time"), message.times, strict=False):
        described.field.add(
            name=name,
            number=number,
            type=FieldDescriptorProto.TYPE_FIXED64,
            label=FieldDescriptorProto.LABEL_OPTIONAL,
        )


def _field(number: int) -> str:
    return f"f{number}"
