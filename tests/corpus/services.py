"""False positives: what the engine finds in logs of real services that name nobody, each finding judged by hand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import zstandard

from scrubbers import Scrubber

_FOLDER = Path(__file__).with_name("service_logs")
SERVICES = tuple(sorted(path.name.partition(".")[0] for path in _FOLDER.glob("*.zst")))
ADDRESSES = ("ipv4", "ipv6")  # counted apart: versions with four parts look the same


@dataclass(slots=True, frozen=True)
class Judged:
    """Findings of one sort: what they look like, `«»` around what was found; whether they are right; why."""

    rule: str
    excerpt: str  # a regular expression
    right: bool
    why: str


@dataclass(slots=True, frozen=True)
class Found:
    service: str
    rule: str
    excerpt: str

    @property
    def judged(self) -> Judged | None:
        return next((row for row in JUDGED if row.rule == self.rule and re.search(row.excerpt, self.excerpt)), None)


JUDGED: tuple[Judged, ...] = (
    Judged("email", r"@example\.org»", True, "an address: of a program's author, of a package's maintainers"),
    Judged("ipv4", r"; rv:«[0-9.]+»\)", False, "the version of a browser, in its user agent"),
    Judged("ipv4", r"-«[0-9.]+»\.jar", False, "the version of a library, in a file name"),
    Judged("ipv4", r" «[0-9.]+»-[0-9]", False, "the version of a package"),
    Judged("ipv4", r"«192\.0\.2\.[0-9]+»", True, "an address: of the server's network"),
)  # fmt: skip


@cache
def log(service: str) -> bytes:
    return zstandard.ZstdDecompressor().decompress((_FOLDER / f"{service}.log.zst").read_bytes())


def found(scrubber: Scrubber, service: str) -> Iterator[Found]:
    """Everything that is found in a service's log."""
    for line in log(service).splitlines():
        yield from found_in(scrubber, service, line)


def found_in(scrubber: Scrubber, service: str, line: bytes) -> Iterator[Found]:
    """What is found in one line, with what stands around it."""
    if scrubber.scrub(line).findings:
        for each in scrubber.explain(line):
            before, value, after = line[: each.start], line[each.start : each.end], line[each.end :]
            excerpt = b"%s\xc2\xab%s\xc2\xbb%s" % (before[-48:], value, after[:24])
            yield Found(service, each.rule, excerpt.decode("utf-8", "replace"))
