"""Scrubs a request where it is dirty: down to the attribute or the text in which the trigger saw something. What is
clean around it is passed through as bytes; only the lengths that enclose a change are written anew.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from scrubbers.matching import Unscrubbable
from scrubbers.otlp.schema import REQUESTS, Kind, Message
from scrubbers.otlp.sites import Simple, Site, Text, Unknown, attribute, simple_attribute, value
from scrubbers.otlp.values import text_line
from scrubbers.otlp.wire import BYTES, FIXED32, FIXED64, VARINT, Malformed, encoded, placed, skipped, varint
from scrubbers.outcome import Quarantined, Scrubbed
from scrubbers.splice import Finding, splice

MAX_LINE = 1 << 20  # bytes of one text or attribute: what has more is not looked at, and does not pass
Scrub: TypeAlias = Callable[[bytes], Scrubbed]
Goes: TypeAlias = Callable[[bytes, bytes], tuple[str, str] | None]


def _not_plain(_key: bytes, _text: bytes) -> None:
    """Which rules apply is asked later."""


@dataclass(slots=True)
class Part:
    """A part of a request that one set of rules applies to: where it ends, where the trigger saw something in it, as
    sorted offsets into the request, and what scrubs lines. `goes`: the finding, as it is counted, by which an attribute
    of this key and text surely goes as a whole; None if that is not so plain.
    """

    end: int
    hits: Sequence[int]
    scrub: Scrub
    goes: Goes = _not_plain


def scrub(body: bytes, signal: str, parts: Sequence[Part]) -> Scrubbed:
    """A request without personal data. Raises Malformed."""
    if not any(part.hits for part in parts):
        return Scrubbed(body, {})
    goes = parts[0].goes if len(parts) == 1 else _not_plain
    walk = _Walk(body, [hit for part in parts for hit in part.hits], goes)
    walk.request(REQUESTS[signal])
    return _Result(body, parts, walk).scrubbed()


@dataclass(slots=True, eq=False)
class _Frame:
    """A message in the request: the field that it is, from `start`, where its length is written, where it begins and
    ends. `unit`: the record or the group of records that it belongs to, which passes as a whole or not at all.
    """

    message: Message
    parent: "_Frame | None"
    start: int
    length_at: int
    at: int
    end: int
    unit: "_Frame"
    growth: int = 0
    dropped: int = 0  # attributes
    first: int = 0  # of a unit: its records
    last: int = 0
    reason: str | None = None  # of a unit: why it cannot be made clean
    same: "list[_Frame] | None" = None  # all parts of a message that comes in parts


class _Walk:
    """Goes through a request as far as the trigger saw something, and gathers what is to be looked at."""

    def __init__(self, body: bytes, hits: list[int], goes: Goes) -> None:
        self._body, self._goes = body, goes
        self._hits = [*hits, len(body) + 1]
        self._hit = 0
        self._records = 0
        self.frames: list[_Frame] = []  # outer ones before inner ones
        self.sites: list[tuple[Site, _Frame, int]] = []
        """For each line: the site, the message that it is a field of, and which line it is that comes back."""
        self.lines: list[bytes] = []
        self.gone: list[tuple[int, int, _Frame, tuple[str, str]]] = []
        """Attributes that surely go: where they begin and end, whose they are, and by which finding."""

    def request(self, message: Message) -> None:
        """Raises Malformed if the structure of the request down to its records is no valid one."""
        frame = _Frame(message, None, 0, 0, 0, len(self._body), None)  # type: ignore[arg-type]
        frame.unit = frame
        self.frames.append(frame)
        self._fields(frame)
        frame.last = self._records

    def _fields(self, frame: _Frame) -> None:
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

    def _record(self, frame: _Frame, start: int, length_at: int, at: int, stop: int) -> None:
        inner = frame.message.inner
        assert inner is not None
        record = _Frame(inner, frame, start, length_at, at, stop, frame)
        record.unit = record
        record.first, record.last = self._records, self._records + 1
        self.frames.append(record)
        self._guarded(record)

    def _guarded(self, frame: _Frame) -> None:
        """The fields of what passes as a whole or not at all: what fails, fails closed."""
        try:
            self._fields(frame)
        except Malformed:
            frame.unit.reason = "malformed"
        except Exception:
            frame.unit.reason = "internal error"

    def _field(self, frame: _Frame, tag: int, start: int, length_at: int, at: int, stop: int) -> None:
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
            below = _Frame(inner, frame, start, length_at, at, stop, frame.unit)
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

    def _may_be_in_parts(self, frame: _Frame) -> None:
        """A message of which there is one: if it stands there more than once, all together are that one."""
        for other in reversed(self.frames[:-1]):
            if other is frame.parent:
                return
            if other.parent is frame.parent and other.message is frame.message:
                frame.same = other.same = other.same or [other]
                frame.same.append(frame)
                return

    def _look(self, site: Site, frame: _Frame) -> int:
        number = len(self.lines)
        self._line(site, frame, number, site.line)
        return number

    def _line(self, site: Site, frame: _Frame, main: int, line: bytes) -> None:
        if len(line) > MAX_LINE:
            frame.unit.reason, line = "too large", b""
        self.sites.append((site, frame, main))
        self.lines.append(line)


_ID_SIZES = (0, 8, 16)


class _Result:
    """What becomes of a request."""

    def __init__(self, body: bytes, parts: Sequence[Part], walk: _Walk) -> None:
        self._body, self._parts, self._walk = body, parts, walk
        self._edits: list[Finding] = []

    def scrubbed(self) -> Scrubbed:
        findings: Counter[tuple[str, str]] = Counter()
        deep = first = 0
        changed: dict[int, bytes] = {}
        for part in self._parts:
            last = bisect_left(self._walk.sites, part.end, first, key=_start)
            if first < last:
                block = b"\n".join(self._walk.lines[first:last])
                scrubbed = part.scrub(block)
                findings.update(scrubbed.findings)
                deep += scrubbed.deep
                if scrubbed.body is not block:
                    self._compare(first, last, scrubbed, changed)
                first = last
        out = self._take_out()
        self._change(changed)
        for start, end, frame, finding in self._walk.gone:
            findings[finding] += 1
            if not _is_out(frame.unit):
                self._replace(frame, start, end, b"")
                frame.dropped += frame.message.dropped is not None
        quarantined = tuple(Quarantined(index, out[index]) for index in sorted(out))
        if not self._edits:
            return Scrubbed(self._body, findings, quarantined, deep)
        for frame in self._walk.frames:
            if frame.dropped:
                self._count_dropped(frame.same or [frame])
        self._write_lengths()
        self._edits.sort()
        return Scrubbed(splice(self._body, self._edits), findings, quarantined, deep)

    def _compare(self, first: int, last: int, scrubbed: Scrubbed, changed: dict[int, bytes]) -> None:
        """Tell the lines that changed, by number, and the units that have one that cannot be made clean."""
        walk = self._walk
        before, after = walk.lines[first:last], scrubbed.body.split(b"\n")
        if scrubbed.quarantined:
            for each in scrubbed.quarantined:
                unit = walk.sites[first + each.index][1].unit
                unit.reason = unit.reason or each.reason
            out = {each.index for each in scrubbed.quarantined}
            if last - first - 1 in out:
                after.pop()  # behind the line end that is left of the last line
            left = iter(after)
            after = [line if number in out else next(left, b"") for number, line in enumerate(before)] + [*left]
        if len(after) != len(before):  # lines that are not the ones that were given do not pass
            for _, frame, _ in walk.sites[first:last]:
                frame.unit.reason = "internal error"
            return
        for number, (old, new) in enumerate(zip(before, after, strict=True), first):
            if old != new:
                changed[number] = new

    def _take_out(self) -> dict[int, str]:
        """Take out what cannot be made clean; by record, why."""
        out: dict[int, str] = {}
        for frame in self._walk.frames:
            if frame.reason is not None and not (frame.parent and _is_out(frame.parent.unit)):
                out.update(dict.fromkeys(range(frame.first, frame.last), frame.reason))
                self._replace(frame.parent or frame, frame.start, frame.end, b"")
        return out

    def _change(self, changed: dict[int, bytes]) -> None:
        walk = self._walk
        hidden = {main for number in changed if (main := walk.sites[number][2]) != number}
        for number in sorted(changed.keys() | hidden) if hidden else changed:
            site, frame, main = walk.sites[number]
            if number != main or _is_out(frame.unit):
                continue
            new = site.back(changed.get(number, site.line), hidden=number in hidden)
            if new is not None:
                self._replace(frame, site.length_at, site.end, encoded(len(new)) + new)
                continue
            self._replace(frame, site.start, site.end, b"")
            if frame.message.dropped is not None and not isinstance(site, Text):
                frame.dropped += 1

    def _replace(self, frame: _Frame, start: int, end: int, new: bytes) -> None:
        self._edits.append((start, end, new, None))
        frame.growth += len(new) - (end - start)

    def _count_dropped(self, frames: Sequence[_Frame]) -> None:
        """Write how many attributes a message lost, all parts of it together."""
        counts = frames[0].message.dropped or 0
        attributes = frames[0].message.attributes or 0
        dropped = sum(frame.dropped for frame in frames)
        where, start, end, so_far = frames[0], 0, 0, None
        for frame in frames:
            frame.dropped = 0
            last, begins, ends = placed(self._body, frame.at, frame.end, attributes, counts)
            if ends:
                _, at = varint(self._body, begins, ends)
                where, start, end, so_far = frame, begins, ends, varint(self._body, at, ends)[0]
            elif last and so_far is None:
                where, start, end = frame, last, last
        count = min(dropped + (so_far or 0), 0xFFFF_FFFF)
        self._replace(where, start, end, encoded(counts << 3 | VARINT) + encoded(count))

    def _write_lengths(self) -> None:
        """Write the lengths of what grew or shrank, from the inside out."""
        for frame in reversed(self._walk.frames):
            if frame.growth and frame.parent is not None:
                length = encoded(frame.end - frame.at + frame.growth)
                frame.parent.growth += frame.growth
                self._replace(frame.parent, frame.length_at, frame.at, length)


def _start(entry: tuple[Site, _Frame, int]) -> int:
    return entry[0].start


def _is_out(unit: _Frame | None) -> bool:
    while unit is not None:
        if unit.reason is not None:
            return True
        unit = unit.parent and unit.parent.unit
    return False
