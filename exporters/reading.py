"""Reads stored objects back: finds those that are wanted, fetches, opens, verifies, filters.

ReadError        one object, or one place of the store, cannot be read whole; reading goes on with the others
├── Unreachable  the store does not give it
├── KeyNeeded    it is sealed with a key that was not given
├── NotGenuine   it was changed, cut off or moved after it was sealed
└── Damaged      a chunk is torn or its checksum wrong, or records are missing
"""

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from exporters.browsing import ObjectStore, StoredObject, StoreError
from exporters.chunk import ChunkError, ChunkHeader, decode, read_chunks
from exporters.fetching import Opening, ahead
from exporters.keys import AnyKey, KeyUnavailable, Tampered, WrongKey
from exporters.record_time import only_between
from exporters.requests import NotOtlp
from exporters.segment import OBJECT_KEY

if TYPE_CHECKING:
    from exporters.sealing import Sealer

_HOUR = 3_600_000_000_000  # ns
_PLACE = re.compile(
    r"(?:^|/)(?:(?:(?P<retention>[^/]+)/)?(?P<signal>[^/]+)/)?dt=(?P<date>[^/]+)/(?:hr=(?P<hour>[^/]+)/)?"
)
_DEPTH = 6  # places below the root: retention, signal, dt, hr, and a prefix that was not given


class ReadError(Exception):
    """An object cannot be read whole. `key` names it; the message says what is wrong, never what is in it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key


class Unreachable(ReadError):
    """The store does not give it."""


class KeyNeeded(ReadError):
    """Sealed with a key that was not given."""


class NotGenuine(ReadError):
    """Changed, cut off or moved after it was sealed."""


class Damaged(ReadError):
    """Not whole."""


@dataclass(slots=True, frozen=True)
class Query:
    """What to read. Times in ns since the epoch, UTC; `since` is included, `until` is not. None: all."""

    since: int | None = None
    until: int | None = None
    retention: str | None = None
    signal: str | None = None
    source: str | None = None
    resource: Mapping[str, str] = field(default_factory=dict)
    """Resource attributes by name, with a shell pattern each (`web-*`): all must match."""
    format: str | None = None
    """How the records are stored: lines or otlp."""

    def wants_place(self, retention: str | None, signal: str | None, first: int | None, last: int | None) -> bool:
        """Whether something in a partition may be wanted; None: not known."""
        return (
            (self.retention is None or retention in {None, self.retention})
            and (self.signal is None or signal in {None, self.signal})
            and (first is None or last is None or self._overlaps(first, last))
        )

    def wants_chunk(self, header: ChunkHeader) -> bool:
        return (
            (self.source is None or header.source == self.source)
            and self.format in {None, "otlp" if header.format == "otlp_json" else header.format}
            and self._overlaps(header.first_time, header.last_time)
            and all(
                fnmatchcase(header.resource[name], pattern) if name in header.resource else header.format != "lines"
                for name, pattern in self.resource.items()
            )
        )

    def records(self, header: ChunkHeader, stored: bytes) -> bytes:
        """Those of a chunk's stored records that lie between the times, and whose resource matches where each has its
        own. Raises NotOtlp."""
        since = self.since if self.since is not None and header.first_time < self.since else None
        until = self.until if self.until is not None and header.last_time >= self.until else None
        resource = {name: glob for name, glob in self.resource.items() if name not in header.resource}
        if since is None and until is None and not resource:
            return stored
        if header.format == "lines":
            return only_between(stored, since, until)
        from exporters.otlp_selecting import selected  # protobuf costs memory and time: only where there is some

        return selected(header.signal, stored, since, until, resource)

    def _overlaps(self, first: int, last: int) -> bool:
        return (self.since is None or last >= self.since) and (self.until is None or first < self.until)


@dataclass(slots=True)
class Progress:
    """How far reading has come. Bytes are those of the objects as stored."""

    objects: int = 0
    objects_done: int = 0
    bytes: int = 0
    bytes_done: int = 0
    chunks: int = 0
    chunks_skipped: int = 0
    """Known from their headers to hold nothing wanted: neither decompressed nor verified."""


Block: TypeAlias = tuple[ChunkHeader, bytes]
Done: TypeAlias = Callable[[str, ReadError | None], None]


class Reader:
    """Reads one store. After reading, `failures` holds what could not be read; nothing else was left out."""

    def __init__(
        self,
        store: ObjectStore,
        keys: Sequence[AnyKey] = (),
        *,
        report: Callable[[Progress], None] | None = None,
        fetch_ahead: int = 0,
    ) -> None:
        """`report` is called with the same Progress again and again, after each chunk and each object.

        `fetch_ahead`: so many objects are fetched at once while one is read.
        """
        self.failures: list[ReadError] = []
        self.progress = Progress()
        self._store = store
        self._keys = keys
        self._report = report or (lambda _: None)
        self._fetch_ahead = fetch_ahead
        self._sealer: Sealer | None = None

    def read(self, query: Query, *, without: Container[str] = (), done: Done = lambda *_: None) -> Iterator[Block]:
        r"""Chunk by chunk, in the order of the keys: the header and the wanted stored records, as they are stored.

        With an empty query every byte of every object is verified. `without`: keys of objects that are not wanted.
        `done` is called with the key of each object that need not be read again, and what is wrong with it for good.
        """
        wanted = [each for each in self.find(query) if each.key not in without]
        self.progress.objects += len(wanted)
        self.progress.bytes += sum(each.size for each in wanted)
        self._report(self.progress)
        with ahead(self._store, wanted, self._fetch_ahead) as opening:
            for each, open_it in opening:
                try:
                    yield from self._read_object(each, open_it, query)
                    done(each.key, None)
                except ReadError as error:
                    self.failures.append(error)
                    if not isinstance(error, Unreachable):
                        done(each.key, error)
                self.progress.objects_done += 1
                self.progress.bytes_done += each.size
                self._report(self.progress)

    def find(self, query: Query) -> Iterator[StoredObject]:
        """The objects that may hold something wanted; partitions out of question are not even listed."""
        yield from self._walk(self._store.root, query, _DEPTH)

    def _walk(self, place: str, query: Query, depth: int) -> Iterator[StoredObject]:
        try:
            listing = self._store.list(place)
        except StoreError as error:
            self.failures.append(Unreachable(place or "the store", str(error)))
            return
        for each in listing.objects:
            if (match := OBJECT_KEY.search(each.key)) and _wanted(query, match):
                yield each
        for below in listing.places if depth else ():
            match = _PLACE.search(below)
            if match is None or _wanted(query, match):
                yield from self._walk(below, query, depth - 1)

    def _read_object(self, stored: StoredObject, open_it: Opening, query: Query) -> Iterator[Block]:
        key = stored.key
        match = OBJECT_KEY.search(key)
        if match is None:
            raise Damaged(key, "its name is not that of a segment")
        records = 0
        try:
            with open_it() as (file, metadata):
                if match["sealed"]:
                    file, metadata = self._unseal(key, match["name"], file)
                if metadata.get("segment", match["segment"]) != match["segment"]:
                    raise Damaged(key, f"is segment {metadata['segment']} under another's name")
                for header, frame in read_chunks(file):
                    records += header.records
                    self.progress.chunks += 1
                    if query.wants_chunk(header):
                        chunk, content = _as_committed(header, decode(header, frame))
                        yield chunk, query.records(chunk, content)
                    else:
                        self.progress.chunks_skipped += 1
                    self._report(self.progress)
        except StoreError as error:
            raise Unreachable(key, str(error)) from error
        except WrongKey as error:
            missing = "it was not given" if self._keys else "no key was given"
            raise KeyNeeded(key, f"{error}; {missing}") from error
        except KeyUnavailable as error:
            raise KeyNeeded(key, str(error)) from error
        except Tampered as error:
            raise NotGenuine(key, str(error)) from error
        except (ChunkError, NotOtlp) as error:
            raise Damaged(key, str(error)) from error
        except OSError as error:
            raise Unreachable(key, error.strerror or type(error).__name__) from error
        if metadata.get("records", str(records)) != str(records):
            raise Damaged(key, f"holds {records} records; {metadata['records']} were stored")

    def _unseal(self, key: str, name: str, file: BinaryIO) -> tuple[BinaryIO, dict[str, str]]:
        """The plain content and its authenticated context, which names the place it was sealed for."""
        if self._sealer is None:
            from exporters.sealing import Sealer  # costs tens of megabytes: only where something is sealed

            self._sealer = Sealer(self._keys)
        plain, context = self._sealer.open(file)
        if context.get("object") != name:
            raise NotGenuine(key, "was sealed for another place: it was moved or swapped")
        return plain, context


def _wanted(query: Query, match: "re.Match[str]") -> bool:
    first, last = _times(match["date"], match["hour"])
    return query.wants_place(match["retention"], match["signal"], first, last)


def _times(date: str, hour: str | None) -> tuple[int | None, int | None]:
    """The first and last nanosecond of a partition; None where its name says nothing."""
    try:
        begin = datetime.strptime(f"{date} {hour or '00'}", "%Y-%m-%d %H").replace(tzinfo=UTC)
    except ValueError:
        return None, None
    first = int(begin.timestamp()) * 1_000_000_000
    return first, first + (_HOUR if hour else 24 * _HOUR) - 1


def _as_committed(header: ChunkHeader, stored: bytes) -> tuple[ChunkHeader, bytes]:
    """What a store keeps as JSON, in the form that all else has."""
    if header.format != "otlp_json":
        return header, stored
    from exporters.as_json import back  # protobuf costs memory and time: only where there is some

    return back(header, stored)
