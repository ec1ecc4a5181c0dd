"""How much is taken at a time: requests and their bytes, of all connections and of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from collector.sources.otlp.refusals import Busy

Connection: TypeAlias = object
"""What a connection is known by: the client's address and port."""


@dataclass(slots=True)
class _Taken:
    requests: int = 0
    bytes: int = 0


class Limits:
    """Counts what is under way in one worker. Refuses with Busy what would be too much; a request alone never is."""

    def __init__(
        self, *, requests: int, requests_per_connection: int, all_bytes: int, bytes_per_connection: int
    ) -> None:
        self._requests, self._requests_each = requests, requests_per_connection
        self._bytes, self._bytes_each = all_bytes, bytes_per_connection
        self._all = _Taken()
        self._each: dict[Connection, _Taken] = {}

    @property
    def requests(self) -> int:
        """How many are under way."""
        return self._all.requests

    @contextmanager
    def enter(self, connection: Connection) -> "Iterator[Ticket]":
        """Be under way. Raises Busy."""
        one = self._each.get(connection) or _Taken()
        if self._all.requests >= self._requests:
            raise Busy("too many requests at a time (limits.requests)")
        if one.requests >= self._requests_each:
            raise Busy("too many requests at a time on one connection (limits.requests_per_connection)")
        self._each[connection] = one
        ticket = Ticket(self, one)
        self._all.requests += 1
        one.requests += 1
        try:
            yield ticket
        finally:
            self._all.requests -= 1
            one.requests -= 1
            self._all.bytes -= ticket.bytes
            one.bytes -= ticket.bytes
            if not one.requests:
                del self._each[connection]

    def take(self, one: _Taken, had: int, more: int) -> None:
        """Raises Busy. `had`: what the same request has taken already."""
        if self._all.bytes > had and self._all.bytes + more > self._bytes:
            raise Busy("too many bytes of requests at a time (limits.bytes)")
        if one.bytes > had and one.bytes + more > self._bytes_each:
            raise Busy("too many bytes of requests at a time on one connection (limits.bytes_per_connection)")
        self._all.bytes += more
        one.bytes += more


class Ticket:
    """One request under way: what it has taken."""

    def __init__(self, limits: Limits, connection: _Taken) -> None:
        self.bytes = 0
        self._limits, self._connection = limits, connection

    def grow(self, size: int) -> None:
        """It has `size` bytes, or more than before. Raises Busy."""
        if size > self.bytes:
            self._limits.take(self._connection, self.bytes, size - self.bytes)
            self.bytes = size
