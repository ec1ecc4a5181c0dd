"""The walk over a request: fields and lengths, as far as the trigger saw something, down to the attributes and texts in
which it did. All else is skipped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from scrubbers.matching import Unscrubbable
from scrubbers.otlp.schema import Kind, Message
from scrubbers.otlp.sites import Simple, Site, Text, Unknown, attribute, simple_attribute, value
from scrubbers.otlp.values import text_line
from scrubbers.otlp.wire import BYTES, FIXED32, FIXED64, VARINT, Malformed, skipped, varint

MAX_LINE = 1 << 20  # bytes of one text or attribute: what has more is not looked at, and does not pass
Goes: TypeAlias = Callable[[bytes, bytes], tuple[str, str] | None]


@dataclass(slots=True, eq=False)
class Frame:
    """A message in the request: the field that it is, from `start`, where its length is written, where it begins and
    ends. `unit`: the record or the group of records that it belongs to, which passes as a whole or not at all.
    """

    message: Message
    parent: "Frame | None"
    start: int
    length_at: int
    at: int
    end: int
    unit: "Frame"
    growth: int = 0
    dropped: int = 0  # attributes
    first: int = 0  # of a unit: its records
    last: int = 0
    reason: str | None = None  # of a unit: why it cannot be made clean
    same: "list[Frame] | None" = None  # all parts of a message that comes in parts


class Walk:
    """Goes through a request as far as the trigger saw something, and gathers what is to be looked at."""

    def __init__(self, body: bytes, hits: list[int], goes: Goes) -> None:
        self._body, self._goes = body, goes
        self._hits = [*hits, len(body) + 1]
        self._hit = 0
        self._records = 0
        self.frames: list[Frame] = []  # outer ones before inner ones
        self.sites: list[tuple[Site, Frame, int]] = []
        """For each line: the site, the message that it is a field of, and which line it is that comes back."""
        self.lines: list[bytes] = []
        self.gone: list[tuple[int, int, Frame, tuple[str, str]]] = []
        """Attributes that surely go: where they begin and end, whose they are, and by which finding."""

    def request(self, message: Message) -> None:
        """Raises Malformed if the structure of the request down to its records is no valid one."""
        frame = Frame(message, None, 0, 0, 0, len(self._body), None)  # type: ignore[arg-type]
        frame.unit = frame
        self.frames.append(frame)
        self._fields(frame)
        frame.last = self._records

    def _fields(self, frame: Frame) -> None:
        # The hot loop: locals, and the commonest forms of tags and lengths in line.
        body, hits, end = self._body, self._hits, frame.end
        record, always = frame.message.record, frame.message.always
        at, next_ = frame.at, self._hit
        hit = hits[next_]
        while at < end:
            start = at
            tag = body[at]
            if tag == record:
                at = self._skip(at, end, record, hit)
                if at != start:
                    continue
            at += 1
            if tag >= 0x80:
                tag, at = varint(body, start, end)
            wire = tag & 7
            if wire == BYTES:
                length_at = at
                if at >= end:
                    raise Malformed("a length is missing")
                size = body[at]
                at += 1
                if size >= 0x80:
                    if at < end and (more := body[at]) < 0x80:
                        size += (more - 1) << 7
                        at += 1
                    else:
                        size, at = varint(body, length_at, end)
                stop = at + size
                if stop > end:
                    raise Malformed("a field reaches beyond its message")
                while hit <= at:  # seen in a tag or a length
                    next_ += 1
                    hit = hits[next_]
                if hit <= stop or tag in always:
                    self._hit = next_
                    if tag == record:
                        self._record(frame, start, length_at, at, stop)
                    else:
                        self._field(frame, tag, start, length_at, at, stop)
                    next_ = self._hit
                    while (hit := hits[next_]) <= stop:
                        next_ += 1
                    if hit > end and record < 0 and not always:
                        break  # the rest is clean
                if tag == record:
                    self._records += 1
                at = stop
            elif wire == VARINT:
                while at < end and body[at] >= 0x80:
                    at += 1
                at += 1
            elif wire == FIXED64:
                at += 8
            elif wire == FIXED32:
                at += 4
            else:
                at = skipped(body, at, end, tag)
                while hit <= start:
                    next_ += 1
                    hit = hits[next_]
                if hit <= at <= end:  # a group of fields: there is none in OTLP, so it is not known
                    self._look(Unknown(start, start, at, body[start:at]), frame)
            if at > end:
                raise Malformed("a field reaches beyond its message")
            if tag < 8:
                raise Malformed("a field has no valid number")
        self._hit = next_

    def _skip(self, at: int, end: int, record: int, hit: int) -> int:
        """Behind the clean records that stand there one after the other, written as all are that write them."""
        body, records, last = self._body, 0, min(hit, end + 1)
        try:
            while body[at] == record:
                size = body[at + 1]
                if size < 0x80:
                    stop = at + 2 + size
                else:
                    more = body[at + 2]
                    if more >= 0x80:
                        break
                    stop = at + (size - 0x7D) + (more << 7)
                if stop >= last:
                    break
                at = stop
                records += 1
        except IndexError:  # the last one ends with the request
            pass
        self._records += records
        return at

    def _record(self, frame: Frame, start: int, length_at: int, at: int, stop: int) -> None:
        inner = frame.message.inner
        assert inner is not None
        record = Frame(inner, frame, start, length_at, at, stop, frame)
        record.unit = record
        record.first, record.last = self._records, self._records + 1
        self.frames.append(record)
        self._guarded(record)

    def _guarded(self, frame: Frame) -> None:
        """The fields of what passes as a whole or not at all: what fails, fails closed."""
        try:
            self._fields(frame)
        except Malformed:
            frame.unit.reason = "malformed"
        except Exception:
            frame.unit.reason = "internal error"

    def _field(self, frame: Frame, tag: int, start: int, length_at: int, at: int, stop: int) -> None:
        """A field of bytes in which the trigger saw something, or that has records in it."""
        kind, inner = frame.message.tags.get(tag, (None, None))
        if kind is Kind.ATTRIBUTE and (simple := simple_attribute(self._body[at:stop])):
            finding = self._goes(simple.key, simple.text)
            if finding is None:
                self._look(Simple(start, length_at, stop, simple), frame)
            else:
                self.gone.append((start, stop, frame, finding))
        elif kind is Kind.ATTRIBUTE or kind is Kind.VALUE:
            read = attribute if kind is Kind.ATTRIBUTE else value
            try:
                site, hidden = read(self._body[at:stop], start, length_at, stop)
            except Malformed:
                frame.unit.reason = "malformed"
            except Unscrubbable as reason:
                frame.unit.reason = str(reason)
            else:
                main = self._look(site, frame)
                for text in hidden:
                    self._line(site, frame, main, text_line(text))
        elif kind is Kind.TEXT or (kind is Kind.ID and stop - at not in _ID_SIZES):
            self._look(Text(start, length_at, stop, self._body[at:stop]), frame)
        elif kind is None:
            self._look(Unknown(start, length_at, stop, self._body[at:stop]), frame)
        elif inner is not None:
            below = Frame(inner, frame, start, length_at, at, stop, frame.unit)
            self.frames.append(below)
            if kind is Kind.GROUP:
                below.unit = below
                below.first = self._records
                self._fields(below)
                below.last = self._records
            else:
                if tag in frame.message.always:
                    self._may_be_in_parts(below)
                self._guarded(below)

    def _may_be_in_parts(self, frame: Frame) -> None:
        """A message of which there is one: if it stands there more than once, all together are that one."""
        for other in islice(reversed(self.frames), 1, None):
            if other is frame.parent:
                return
            if other.parent is frame.parent and other.message is frame.message:
                frame.same = other.same = other.same or [other]
                frame.same.append(frame)
                return

    def _look(self, site: Site, frame: Frame) -> int:
        number = len(self.lines)
        self._line(site, frame, number, site.line)
        return number

    def _line(self, site: Site, frame: Frame, main: int, line: bytes) -> None:
        if len(line) > MAX_LINE:
            frame.unit.reason, line = "too large", b""
        self.sites.append((site, frame, main))
        self.lines.append(line)


_ID_SIZES = (0, 8, 16)
