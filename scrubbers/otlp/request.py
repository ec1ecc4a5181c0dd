"""Scrubs a request where it is dirty: down to the attribute or the text in which the trigger saw something. What is
clean around it is passed through as bytes; only the lengths that enclose a change are written anew.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scrubbers.matching import Unscrubbable
from scrubbers.otlp.schema import REQUESTS, Kind, Message
from scrubbers.otlp.values import Attribute, Reader, Value, attribute_back, quoted, text_back, text_line, value_back
from scrubbers.otlp.wire import BYTES, VARINT, Malformed, encoded, fields, varint
from scrubbers.outcome import Quarantined, Scrubbed

Scrub = Callable[[bytes], Scrubbed]


@dataclass(slots=True)
class Part:
    """A part of a request that one set of rules applies to: where it ends, where the trigger saw something in it, as
    sorted offsets into the request, and what scrubs lines.
    """

    end: int
    hits: Sequence[int]
    scrub: Scrub


def scrub(body: bytes, signal: str, parts: Sequence[Part]) -> Scrubbed:
    """A request without personal data. Raises Malformed."""
    if not any(part.hits for part in parts):
        return Scrubbed(body, {})
    walk = _Walk(body, parts)
    walk.request(REQUESTS[signal])
    return walk.scrubbed()


@dataclass(slots=True)
class _Frame:
    """A message whose length may change: where that is written, where the message begins and ends."""

    parent: "_Frame | None"
    length_at: int
    at: int
    end: int
    growth: int = 0


@dataclass(slots=True)
class _Owner:
    """A message with attributes, and a count of those that were dropped. `count`: where the last one stands."""

    frame: _Frame
    field: int | None
    behind: int = 0  # the last attribute
    count: tuple[int, int, int] | None = None  # begins, ends, is
    dropped: int = 0


@dataclass(slots=True)
class _Unit:
    """A record, or a group of records with what they share: it passes as a whole or not at all."""

    parent: "_Unit | None"
    frame: _Frame | None  # in which it stands
    start: int
    end: int
    first: int
    last: int = 0  # records
    reason: str | None = None


@dataclass(slots=True)
class _Site:
    """A text, an attribute or a value in which there may be something personal: its lines, and how they come back.

    `back` gets the first line as it became, and whether another one changed: what the message holds instead, or None
    if the field goes.
    """

    unit: _Unit
    frame: _Frame  # in which the field stands
    start: int  # of the field,
    length_at: int  # of its length
    end: int  # and its end
    part: int
    lines: list[bytes]
    back: Callable[[bytes, bool], bytes | None]
    owner: _Owner | None = None


class _Walk:
    """One walk over a request, and what it found."""

    def __init__(self, body: bytes, parts: Sequence[Part]) -> None:
        self._body = body
        self._parts = parts
        self._part = 0
        self._hits = [*(hit for part in parts for hit in part.hits), len(body) + 1]
        self._hit = 0
        self._records = 0
        self._units: list[_Unit] = []
        self._sites: list[_Site] = []
        self._frames: list[_Frame] = []
        self._owners: list[_Owner] = []

    def request(self, message: Message) -> None:
        """Raises Malformed if its structure down to the records is no valid one."""
        frame = _Frame(None, 0, 0, len(self._body))
        for number, wire, start, at, stop in fields(self._body, 0, len(self._body)):
            while self._parts[self._part].end <= start:
                self._part += 1
            kind, inner = message.fields.get(number, (None, None)) if wire == BYTES else (None, None)
            unit = _Unit(None, frame, start, stop, self._records)
            if kind is Kind.GROUP and inner is not None:
                self._group(inner, _Frame(frame, self._length_at(start), at, stop), unit)
            elif wire == BYTES and self._seen(at, stop):
                self._units.append(unit)
                self._unknown(unit, frame, start, at, stop)

    # Walking

    def _seen(self, at: int, stop: int) -> bool:
        """Whether the trigger reported something that lies there. Asked for places in their order."""
        hits, hit = self._hits, self._hit
        while hits[hit] <= at:
            hit += 1
        self._hit = hit
        return hits[hit] <= stop

    def _length_at(self, start: int) -> int:
        """Where the length of the field of bytes is that begins there."""
        while self._body[start] >= 0x80:
            start += 1
        return start + 1

    def _group(self, message: Message, frame: _Frame, unit: _Unit) -> None:
        self._frames.append(frame)
        self._units.append(unit)
        for number, wire, start, at, stop in fields(self._body, frame.at, frame.end):
            kind, inner = message.fields.get(number, (None, None)) if wire == BYTES else (None, None)
            if kind is Kind.RECORD and inner is not None:
                if self._seen(at, stop):
                    record = _Unit(unit, frame, start, stop, self._records, self._records + 1)
                    self._units.append(record)
                    self._guarded(record, inner, _Frame(frame, self._length_at(start), at, stop))
                self._records += 1
            elif kind is Kind.GROUP and inner is not None:
                below = _Unit(unit, frame, start, stop, self._records)
                self._group(inner, _Frame(frame, self._length_at(start), at, stop), below)
            elif wire == BYTES and self._seen(at, stop):
                self._field(kind, inner, unit, frame, None, start, at, stop)
        unit.last = self._records

    def _guarded(self, unit: _Unit, message: Message, frame: _Frame) -> None:
        """The fields of a message, all of which is in doubt if any is: what fails, fails closed."""
        try:
            self._message(unit, message, frame)
        except Unscrubbable as reason:
            unit.reason = unit.reason or str(reason)
        except Malformed:
            unit.reason = unit.reason or "malformed"
        except Exception:
            unit.reason = unit.reason or "internal error"

    def _message(self, unit: _Unit, message: Message, frame: _Frame) -> None:
        self._frames.append(frame)
        owner = self._owner(message, frame)
        for number, wire, start, at, stop in fields(self._body, frame.at, frame.end):
            if wire == BYTES:
                kind, inner = message.fields.get(number, (None, None))
                if kind is Kind.ATTRIBUTE and owner is not None:
                    owner.behind = stop
                if self._seen(at, stop):
                    self._field(kind, inner, unit, frame, owner, start, at, stop)
            elif owner is not None and number == owner.field and wire == VARINT:
                owner.count = (start, stop, varint(self._body, at, stop)[0])

    def _owner(self, message: Message, frame: _Frame) -> _Owner | None:
        if message.dropped is None:
            return None
        owner = _Owner(frame, message.dropped)
        self._owners.append(owner)
        return owner

    def _field(
        self,
        kind: Kind | None,
        inner: Message | None,
        unit: _Unit,
        frame: _Frame,
        owner: _Owner | None,
        start: int,
        at: int,
        stop: int,
    ) -> None:
        """A field in which the trigger saw something."""
        if kind is Kind.PART and inner is not None:
            self._guarded(unit, inner, _Frame(frame, self._length_at(start), at, stop))
        elif kind is Kind.NUMBERS or (kind is Kind.ID and stop - at in _ID_SIZES):
            return
        elif kind is None:
            self._unknown(unit, frame, start, at, stop)
        elif kind in (Kind.ATTRIBUTE, Kind.VALUE):
            try:
                self._value(kind, unit, frame, owner, start, at, stop)
            except Unscrubbable as reason:
                unit.reason = unit.reason or str(reason)
            except Malformed:
                unit.reason = unit.reason or "malformed"
        else:
            lines = [text_line(self._body[at:stop])]
            self._site(unit, frame, start, stop, lines, lambda line, _hidden: text_back(line))

    def _value(
        self, kind: Kind, unit: _Unit, frame: _Frame, owner: _Owner | None, start: int, at: int, stop: int
    ) -> None:
        reader = Reader()
        raw = self._body[at:stop]
        if kind is Kind.ATTRIBUTE:
            attribute = reader.attribute(raw)
            line = b"{" + quoted(attribute.key) + b":" + attribute.value.json + b"}\n"
            back = _attribute_back(attribute, line)
        else:
            value = reader.value(raw)
            line = b"[" + value.json + b"]\n"
            back = _value_back(value, line)
        self._site(unit, frame, start, stop, [line, *map(text_line, reader.hidden)], back, owner)

    def _unknown(self, unit: _Unit, frame: _Frame, start: int, at: int, stop: int) -> None:
        """A field that is not known: nothing can be done to it but to take it out."""
        self._site(unit, frame, start, stop, [text_line(self._body[at:stop])], lambda _line, _hidden: None)

    def _site(
        self,
        unit: _Unit,
        frame: _Frame,
        start: int,
        stop: int,
        lines: list[bytes],
        back: Callable[[bytes, bool], bytes | None],
        owner: _Owner | None = None,
    ) -> None:
        self._sites.append(_Site(unit, frame, start, self._length_at(start), stop, self._part, lines, back, owner))

    # What becomes of it

    def scrubbed(self) -> Scrubbed:
        findings: Counter[tuple[str, str]] = Counter()
        deep = 0
        edits: list[tuple[int, int, bytes]] = []
        changed: list[tuple[_Site, bytes, bool]] = []
        for number, part in enumerate(self._parts):
            sites = [site for site in self._sites if site.part == number]
            block = b"".join([line for site in sites for line in site.lines])
            if not block:
                continue
            scrubbed = part.scrub(block)
            findings.update(scrubbed.findings)
            deep += scrubbed.deep
            if scrubbed.body is not block:
                changed += _changed(sites, scrubbed)
        out = self._out(edits)
        for site, line, hidden in changed:
            if not _is_out(site.unit):
                self._edit(site, site.back(line, hidden), edits)
        quarantined = tuple(Quarantined(index, out[index]) for index in sorted(out))
        if not edits:
            return Scrubbed(self._body, findings, quarantined, deep)
        self._count_dropped(edits)
        self._lengths(edits)
        edits.sort(key=lambda edit: edit[:2])
        return Scrubbed(_spliced(self._body, edits), findings, quarantined, deep)

    def _out(self, edits: list[tuple[int, int, bytes]]) -> dict[int, str]:
        """Take out what cannot be made clean; by record, why."""
        out: dict[int, str] = {}
        for unit in self._units:
            if unit.reason is None or (unit.parent is not None and _is_out(unit.parent)):
                continue
            edits.append((unit.start, unit.end, b""))
            if unit.frame is not None:
                unit.frame.growth -= unit.end - unit.start
            out.update(dict.fromkeys(range(unit.first, unit.last), unit.reason))
        return out

    def _edit(self, site: _Site, new: bytes | None, edits: list[tuple[int, int, bytes]]) -> None:
        if new is None:
            start, replacement = site.start, b""
            if site.owner is not None:
                site.owner.dropped += 1
        else:
            start, replacement = site.length_at, encoded(len(new)) + new
        edits.append((start, site.end, replacement))
        site.frame.growth += len(replacement) - (site.end - start)

    def _count_dropped(self, edits: list[tuple[int, int, bytes]]) -> None:
        for owner in self._owners:
            if not owner.dropped or owner.field is None:
                continue
            start, end, count = owner.count or (owner.behind, owner.behind, 0)
            number = encoded(owner.field << 3 | VARINT) + encoded(min(count + owner.dropped, 0xFFFF_FFFF))
            edits.append((start, end, number))
            owner.frame.growth += len(number) - (end - start)

    def _lengths(self, edits: list[tuple[int, int, bytes]]) -> None:
        """Write the lengths of what grew or shrank, from the inside out."""
        for frame in reversed(self._frames):
            if frame.growth and frame.parent is not None:
                length = encoded(frame.end - frame.at + frame.growth)
                edits.append((frame.length_at, frame.at, length))
                frame.parent.growth += frame.growth + len(length) - (frame.at - frame.length_at)


_ID_SIZES = (0, 8, 16)


def _attribute_back(attribute: Attribute, before: bytes) -> Callable[[bytes, bool], bytes | None]:
    return lambda line, hidden: attribute_back(attribute, before, line, hidden=hidden)


def _value_back(value: Value, before: bytes) -> Callable[[bytes, bool], bytes]:
    return lambda line, hidden: value_back(value, before, line, hidden=hidden)


def _is_out(unit: _Unit | None) -> bool:
    while unit is not None:
        if unit.reason is not None:
            return True
        unit = unit.parent
    return False


def _changed(sites: Sequence[_Site], scrubbed: Scrubbed) -> list[tuple[_Site, bytes, bool]]:
    """The sites of which a line changed, each with its first line and whether another one changed."""
    out = {each.index: each.reason for each in scrubbed.quarantined}
    left = iter(scrubbed.body.split(b"\n"))
    changed: list[tuple[_Site, bytes, bool]] = []
    index = 0
    for site in sites:
        lines: list[bytes] = []
        for _ in site.lines:
            reason = out.get(index)
            if reason is not None:
                site.unit.reason = site.unit.reason or reason
            else:
                lines.append(next(left))
            index += 1
        if site.unit.reason is None:
            hidden = any(old[:-1] != new for old, new in zip(site.lines[1:], lines[1:], strict=True))
            if hidden or lines[0] != site.lines[0][:-1]:
                changed.append((site, lines[0], hidden))
    return changed


def _spliced(body: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    parts: list[bytes] = []
    reached = 0
    for start, end, replacement in edits:
        parts += (body[reached:start], replacement)
        reached = end
    parts.append(body[reached:])
    return b"".join(parts)
