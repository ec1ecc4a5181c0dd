"""What both ways in have in common: who may enter, how much at a time, what becomes of a request, and telling of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from collector import events, own_log
from collector.sources.otlp.authentication import Authentication
from collector.sources.otlp.limits import Connection, Limits, Ticket
from collector.sources.otlp.receiving import Receiving
from collector.sources.otlp.refusals import Refusal, Stopping


@dataclass(slots=True)
class Door:
    """One worker's, for one source. Closed, it refuses who comes; who is in goes on."""

    source: str
    limits: Limits
    authenticate: Authentication
    receive: Receiving
    receive_seconds: float
    closed: bool = False

    @contextmanager
    def enter(self, protocol: str, connection: Connection, authorization: str | bytes | None) -> Iterator[Ticket]:
        """A request from its headers to its answer. Raises Refusal, also where the block does, and counts either."""
        try:
            if self.closed:
                raise Stopping
            self.authenticate(authorization)
            with self.limits.enter(connection) as ticket:
                yield ticket
        except Refusal as refusal:
            events.RequestRefused(self.source, protocol, refusal.outcome, str(refusal)).emit()
            raise
        except asyncio.CancelledError:
            events.RequestRefused(self.source, protocol, "cancelled", "the client gave up").emit()
            raise
        except Exception:
            events.RequestRefused(self.source, protocol, "failed", "an error of the gate").emit()
            own_log.log.exception("a request could not be received")
            raise
        events.RequestAccepted(self.source, protocol).emit()
