"""Scrubs a request where it is dirty: down to the attribute or the text in which the trigger saw something. What is
clean around it is passed through as bytes; only the lengths that enclose a change are written anew.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from scrubbers.otlp.schema import REQUESTS
from scrubbers.otlp.sites import Site, Text
from scrubbers.otlp.walk import Frame, Goes, Walk
from scrubbers.otlp.wire import VARINT, encoded, placed, varint
from scrubbers.outcome import Quarantined, Scrubbed
from scrubbers.splice import Finding, splice

Scrub: TypeAlias = Callable[[bytes], Scrubbed]


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
    walk = Walk(body, [hit for part in parts for hit in part.hits], goes)
    walk.request(REQUESTS[signal])
    return _Result(body, parts, walk).scrubbed()


class _Result:
    """What becomes of a request."""

    def __init__(self, body: bytes, parts: Sequence[Part], walk: Walk) -> None:
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

    def _replace(self, frame: Frame, start: int, end: int, new: bytes) -> None:
        self._edits.append((start, end, new, None))
        frame.growth += len(new) - (end - start)

    def _count_dropped(self, frames: Sequence[Frame]) -> None:
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


def _start(entry: tuple[Site, Frame, int]) -> int:
    return entry[0].start


def _is_out(unit: Frame | None) -> bool:
    while unit is not None:
        if unit.reason is not None:
            return True
        unit = unit.parent and unit.parent.unit
    return False
