"""Which retention class a record gets: by its signal, its origin, and its level where that is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import get_args

import msgspec

from collector.batch import Origin
from collector.config import RetentionOptions, RouteOptions
from collector.levels import Level, level_of
from exporters.chunk import ChunkHeader
from exporters.signals import Signal

_MOST_ORIGINS = 4096
_LEVELS: tuple[Level | None, ...] = (*get_args(Level), None)


@dataclass(slots=True, frozen=True)
class Part:
    """Records of a batch that have their class in common."""

    retention: str
    header: ChunkHeader
    stored: bytes


@dataclass(slots=True, frozen=True)
class Classes:
    """The classes of one origin's records, by level; None: no level is known. The same where no rule asks."""

    by_level: Mapping[Level | None, str]

    def split(self, header: ChunkHeader, stored: bytes) -> list[Part]:
        """The stored records by class, in their order within each; at least one part.

        Lines alone tell their levels; what was read is divided in proportion, and adds up.
        """
        unknown = self.by_level[None]
        if header.format != "lines" or not stored or len(set(self.by_level.values())) == 1:
            return [Part(unknown, header, stored)]
        lines: dict[str, list[bytes]] = {}
        for line in stored.split(b"\n")[:-1]:
            lines.setdefault(self.by_level[level_of(line)], []).append(line + b"\n")
        left_records, left_bytes = header.records, header.input_bytes
        parts = []
        for retention, own in lines.items():
            share = left_bytes * len(own) // left_records
            left_records, left_bytes = left_records - len(own), left_bytes - share
            part = msgspec.structs.replace(header, records=len(own), input_bytes=share)
            parts.append(Part(retention, part, b"".join(own)))
        return parts


class Routes:
    """The configured rules; the first that fits decides."""

    def __init__(self, options: RetentionOptions) -> None:
        self._options = options
        self._of = lru_cache(_MOST_ORIGINS)(self._find)

    def __call__(self, signal: Signal, origin: Origin) -> Classes:
        return self._of(signal, origin)

    def _find(self, signal: Signal, origin: Origin) -> Classes:
        resource = dict(origin.resource)
        rules = [rule for rule in self._options.route if _fits(rule, signal, origin.source, resource)]
        default = self._options.default
        return Classes({level: next((r.to for r in rules if _allows(r, level)), default) for level in _LEVELS})


def _fits(rule: RouteOptions, signal: Signal, source: str, resource: Mapping[str, str]) -> bool:
    return (
        rule.signal in {None, signal}
        and (rule.source is None or fnmatchcase(source, rule.source))
        and all(name in resource and fnmatchcase(resource[name], glob) for name, glob in rule.resource.items())
    )


def _allows(rule: RouteOptions, level: Level | None) -> bool:
    return not rule.level or level in rule.level
