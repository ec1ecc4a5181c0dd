"""The messages of OTLP, as far as scrubbing needs them: what each of their fields is. A test compares with the
published descriptors, so that no field is forgotten.

Only fields of bytes (wire type 2) are named; all others are numbers of no one, but for the count of dropped attributes.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from scrubbers.otlp.wire import BYTES


class Kind(IntEnum):
    """What a field holds."""

    TEXT = 0  # a string
    ID = 1  # a trace or span id: 16 or 8 bytes; of any other length it is text
    NUMBERS = 2  # packed
    ATTRIBUTE = 3  # KeyValue: one of a list of attributes
    VALUE = 4  # AnyValue
    PART = 5  # a message that belongs to what it stands in
    GROUP = 6  # a message that has records in it
    RECORD = 7  # a span, a log record, a data point


@dataclass(slots=True, eq=False)
class Message:
    """`fields`: by number. `dropped`: the number of the field that counts the attributes that were dropped, if any.

    `times`: of records, the numbers of the fields that hold nanoseconds since the epoch; the first that is set counts.
    """

    name: str
    fields: "dict[int, tuple[Kind, Message | None]]" = field(default_factory=dict)
    dropped: int | None = None
    times: tuple[int, ...] = ()
    # The same by tag, as the walk over a request asks for it:
    tags: "dict[int, tuple[Kind, Message | None]]" = field(init=False)
    record: int = field(init=False, default=-1)  # the tag of records, and what they are
    inner: "Message | None" = field(init=False, default=None)
    attributes: int | None = field(init=False, default=None)  # the number of their field
    always: frozenset[int] = field(init=False)  # tags of what is looked into in any case

    def __post_init__(self) -> None:
        self.attributes = next((number for number, (kind, _) in self.fields.items() if kind is Kind.ATTRIBUTE), None)
        self.tags = {number << 3 | BYTES: what for number, what in self.fields.items()}
        for tag, (kind, inner) in self.tags.items():
            if kind is Kind.RECORD:
                self.record, self.inner = tag, inner
        has_records = any(kind in (Kind.RECORD, Kind.GROUP) for kind, _ in self.tags.values())
        self.always = frozenset(
            tag
            for tag, (kind, _) in self.tags.items()
            if kind is Kind.GROUP or (kind is Kind.PART and has_records)  # it may come in parts
        )


def _message(name: str, *, dropped: int | None = None, times: tuple[int, ...] = (), **fields: object) -> Message:
    """`fields`: `n3=Kind.TEXT`, or `n3=message` for one that is a part, or `n3=(kind, message)`."""
    made: dict[int, tuple[Kind, Message | None]] = {}
    for number, what in fields.items():
        if isinstance(what, Kind):
            made[int(number[1:])] = (what, None)
        elif isinstance(what, Message):
            made[int(number[1:])] = (Kind.PART, what)
        else:
            assert isinstance(what, tuple)
            made[int(number[1:])] = what
    return Message(name, made, dropped, times)


_TEXT, _ID, _NUMBERS, _ATTRIBUTE, _VALUE = Kind.TEXT, Kind.ID, Kind.NUMBERS, Kind.ATTRIBUTE, Kind.VALUE

_ENTITY = _message("EntityRef", n1=_TEXT, n2=_TEXT, n3=_TEXT, n4=_TEXT)
_RESOURCE = _message("Resource", dropped=2, n1=_ATTRIBUTE, n3=_ENTITY)
_SCOPE = _message("InstrumentationScope", dropped=4, n1=_TEXT, n2=_TEXT, n3=_ATTRIBUTE)

_EVENT = _message("Span.Event", dropped=4, n2=_TEXT, n3=_ATTRIBUTE)
_LINK = _message("Span.Link", dropped=5, n1=_ID, n2=_ID, n3=_TEXT, n4=_ATTRIBUTE)
_STATUS = _message("Status", n2=_TEXT)
_SPAN = _message(
    "Span", dropped=10, times=(7, 8), n1=_ID, n2=_ID, n3=_TEXT, n4=_ID, n5=_TEXT, n9=_ATTRIBUTE, n11=_EVENT, n13=_LINK,
    n15=_STATUS,
)  # fmt: skip
_LOG_RECORD = _message(
    "LogRecord", dropped=7, times=(1, 11), n3=_TEXT, n5=_VALUE, n6=_ATTRIBUTE, n9=_ID, n10=_ID, n12=_TEXT
)

_EXEMPLAR = _message("Exemplar", n4=_ID, n5=_ID, n7=_ATTRIBUTE)
_NUMBER_POINT = _message("NumberDataPoint", times=(3,), n5=_EXEMPLAR, n7=_ATTRIBUTE)
_HISTOGRAM_POINT = _message("HistogramDataPoint", times=(3,), n6=_NUMBERS, n7=_NUMBERS, n8=_EXEMPLAR, n9=_ATTRIBUTE)
_BUCKETS = _message("ExponentialHistogramDataPoint.Buckets", n2=_NUMBERS)
_EXPONENTIAL_POINT = _message(
    "ExponentialHistogramDataPoint", times=(3,), n1=_ATTRIBUTE, n8=_BUCKETS, n9=_BUCKETS, n11=_EXEMPLAR
)
_QUANTILE = _message("SummaryDataPoint.ValueAtQuantile")
_SUMMARY_POINT = _message("SummaryDataPoint", times=(3,), n6=_QUANTILE, n7=_ATTRIBUTE)


def _points(name: str, point: Message) -> tuple[Kind, Message]:
    return Kind.GROUP, _message(name, n1=(Kind.RECORD, point))


_METRIC = _message(
    "Metric", n1=_TEXT, n2=_TEXT, n3=_TEXT, n5=_points("Gauge", _NUMBER_POINT), n7=_points("Sum", _NUMBER_POINT),
    n9=_points("Histogram", _HISTOGRAM_POINT), n10=_points("ExponentialHistogram", _EXPONENTIAL_POINT),
    n11=_points("Summary", _SUMMARY_POINT), n12=_ATTRIBUTE,
)  # fmt: skip


def _request(what: str, inner: tuple[Kind, Message]) -> Message:
    scope = _message(f"Scope{what}", n1=_SCOPE, n2=inner, n3=_TEXT)
    resource = _message(f"Resource{what}", n1=_RESOURCE, n2=(Kind.GROUP, scope), n3=_TEXT)
    return _message(f"Export{what}", n1=(Kind.GROUP, resource))


REQUESTS: dict[str, Message] = {
    "traces": _request("Spans", (Kind.RECORD, _SPAN)),
    "logs": _request("Logs", (Kind.RECORD, _LOG_RECORD)),
    "metrics": _request("Metrics", (Kind.GROUP, _METRIC)),
}
"""The request of each signal."""
RESOURCE = 1
"""The field of a request's first level of groups that holds the resource."""
