"""A TCP proxy that does to connections what networks do: refuses, cuts, delays, changes."""

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_PIECE = 64 << 10


@dataclass(slots=True, frozen=True)
class Fault:
    """What is wrong with connections. All of it concerns what the client sends."""

    refuse: bool = False
    """Close at once."""
    cut_after: int | None = None
    """Reset the connection when so many bytes came from the client."""
    delay: float = 0.0
    """Seconds that each piece waits."""
    flip_at: int | None = None
    """Flip a bit of the byte at this offset of the connection."""


HEALTHY = Fault()


class Proxy:
    """Listens on a free port of 127.0.0.1, in a thread of its own, and passes on to `upstream` (`http://host:port`)."""

    def __init__(self, upstream: str) -> None:
        place = urlsplit(upstream)
        self._upstream = (place.hostname, place.port)
        self._fault = HEALTHY
        self.connections = 0
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._closing: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def fault(self) -> Fault:
        """What is wrong now. A change resets the connections there are: clients keep theirs open for long."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        if fault != self._fault:
            self._fault = fault
            self._loop.call_soon_threadsafe(self._reset)

    def _reset(self) -> None:
        for task in self._tasks:
            task.cancel()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._closing is not None
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(30)
        self._loop.close()

    async def _serve(self) -> None:
        self._closing = asyncio.Event()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._connection(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._closing.wait()
        server.close()
        self._reset()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        fault = self._fault
        try:
            if fault.refuse:
                return
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
            try:
                ways = [
                    asyncio.ensure_future(_pass(reader, upstream_writer, fault)),
                    asyncio.ensure_future(_pass(upstream_reader, writer, HEALTHY)),
                ]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
            finally:
                upstream_writer.transport.abort()
        except OSError:
            pass
        finally:
            writer.transport.abort()  # a reset, where something was on its way


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault) -> None:
    """Pass on what comes until it ends, or the fault ends it."""
    passed = 0
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            if fault.delay:
                await asyncio.sleep(fault.delay)
            if fault.cut_after is not None and passed + len(piece) > fault.cut_after:
                writer.write(piece[: fault.cut_after - passed])
                return
            if fault.flip_at is not None and 0 <= fault.flip_at - passed < len(piece):
                at = fault.flip_at - passed
                piece = piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
            passed += len(piece)
            writer.write(piece)
            await writer.drain()
