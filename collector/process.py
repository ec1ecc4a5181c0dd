"""The gate's processes: how one is started, what it is told and tells, and that it never outlives the gate.

A child is `python -P -m collector.process FD NAME` (-P: the working directory is not searched for modules). FD is its
end of a socket pair, over which it first gets what to do (a coroutine function and its argument), then messages. NAME
is for people who look at the process list. When the other end closes, the gate is gone and the child ends at once:
whatever it had not committed is read again at the next start.
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Self, TypeAlias

import uvloop

from collector import own_log, telemetry
from collector.own.options import OwnOtlpOptions

HANDLED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}  # by the gate alone: it tells its children
ORPHANED = 3
FAILED = 4  # could not start, and said why


class StartError(Exception):
    """A process cannot do its work as configured; the message says what to mend."""


@dataclass(slots=True, frozen=True)
class Stop:
    """To a worker: take nothing more, commit what was taken, seal, end."""


@dataclass(slots=True, frozen=True)
class Drain:
    """To the shipping process: send all that is sealed, then end. `seconds`: how long it may go without success."""

    seconds: float


@dataclass(slots=True, frozen=True)
class Reload:
    """To a worker: scrub by this policy."""

    policy: Any


@dataclass(slots=True, frozen=True)
class Ready:
    """From a child: it does its work."""


@dataclass(slots=True, frozen=True)
class Using:
    """From a worker: what it scrubs from now on, it scrubs by the policy with this fingerprint."""

    policy: str


@dataclass(slots=True, frozen=True)
class Waiting:
    """From a worker: why it takes nothing; None: it takes data again."""

    reason: str | None


@dataclass(slots=True, frozen=True)
class Failed:
    """From a child that ends: why it cannot start."""

    message: str


Message: TypeAlias = Stop | Drain | Reload | Ready | Using | Waiting | Failed


@dataclass(slots=True, frozen=True)
class Duties:
    """What a child gets at its start."""

    name: str
    work: Callable[[Any, "Channel"], Awaitable[None]]
    argument: Any
    log_level: str
    log_format: str
    telemetry: Path
    node: str = ""
    own: OwnOtlpOptions | None = None


class Channel:
    """A child's end: messages from the gate, and to it."""

    def __init__(self, connection: "Connection[Message, Message]") -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        threading.Thread(target=self._listen, name="channel", daemon=True).start()

    async def receive(self) -> Message:
        return await self._messages.get()

    def send(self, message: Message) -> None:
        self._connection.send(message)

    def _listen(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                self._loop.call_soon_threadsafe(self._messages.put_nowait, message)
        except RuntimeError:
            return  # the loop is closed: this process is ending
        except (EOFError, OSError):
            os._exit(ORPHANED)


class Process:
    """The gate's view of a child. `told` is called in the gate's loop with each message."""

    def __init__(
        self, popen: "subprocess.Popen[bytes]", connection: "Connection[Any, Any]", told: Callable[[Message], None]
    ) -> None:
        self.pid = popen.pid
        self._popen, self._connection, self._told = popen, connection, told
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        threading.Thread(target=self._listen, name=f"child-{self.pid}", daemon=True).start()

    @classmethod
    def start(cls, duties: Duties, told: Callable[[Message], None], *, stdin: bool = False) -> Self:
        """Start a child; with `stdin` it gets the gate's own."""
        ours, theirs = Pipe()
        # Blocked until the child ignores them, so that Ctrl-C never hits it on its way up.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "collector.process", str(theirs.fileno()), duties.name],
                pass_fds=[theirs.fileno()],
                stdin=None if stdin else subprocess.DEVNULL,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        process = cls(popen, ours, told)
        process.send(duties)
        return process

    def send(self, message: object) -> None:
        with suppress(OSError):  # it has ended; `ended` tells
            self._connection.send(message)

    async def ended(self) -> int:
        """Wait for its end: the exit code, negative for a signal."""
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        self._popen.kill()

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._tell(self._told, self._connection.recv())
        code = self._popen.wait()
        self._connection.close()
        self._tell(self._ended.set_result, code)

    def _tell(self, to: Callable[[Any], None], what: object) -> None:
        with suppress(RuntimeError):  # the gate's loop is closed: nobody listens
            self._loop.call_soon_threadsafe(to, what)


def main(descriptor: int) -> int:
    """Be a child."""
    for number in HANDLED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    connection: Connection[Any, Any] = Connection(descriptor)
    try:
        duties: Duties = connection.recv()
    except EOFError:
        return ORPHANED
    own_log.configure_logs(duties.log_level, duties.log_format)
    try:
        telemetry.share(duties.telemetry)
    except OSError as error:
        own_log.log.error("cannot write own metrics: %s", error.strerror)

    own = None
    if duties.own:
        from collector.own.export import OwnTelemetry  # costs memory

        own = OwnTelemetry.start(duties.own, duties.name, duties.node)

    async def work() -> None:
        await duties.work(duties.argument, Channel(connection))

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work())
    except StartError as error:
        connection.send(Failed(str(error)))
        return FAILED
    except BaseException:  # its text may quote a record: our formatter leaves it out, Python's own would not
        own_log.log.log(logging.CRITICAL, "a process of the gate failed", exc_info=True)
        return 1
    finally:
        if own:
            own.close()
    return 0


if __name__ == "__main__":
    from collector import process  # not this module by another name: its types are compared

    code = process.main(int(sys.argv[1]))
    logging.shutdown()
    os._exit(code)  # threads that still read from somewhere (stdin) must not hold up the end
