"""The gate: recovers the spool, starts workers and the shipping process, keeps them alive, drains them, reports.

SIGTERM and SIGINT drain: sources stop, what was read is committed, sealed and, if the stores answer, shipped; the rest
stays in the spool for the next start. A second one ends at once. SIGHUP loads the policy anew, in all workers or none.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

import uvloop

from collector import events, telemetry
from collector.config import Config
from collector.process import (
    Channel,
    Drain,
    Drained,
    Duties,
    Failed,
    Message,
    Process,
    Ready,
    Reload,
    StartError,
    Stop,
    Waiting,
)
from collector.shipper import Backoff
from collector.shipping import ship
from collector.sources.file import FileOptions
from collector.spool import Recovered, SpoolError, SpoolRefused, recover
from collector.worker import WorkerTask, work
from scrubbers import Policy, Scrubber, load_policy
from settings import SettingsError

GRACE_SECONDS = 25.0  # for the whole drain: Kubernetes kills after 30
PATIENCE_SECONDS = 8.0  # a drain gives up on stores that take nothing for this long
LOCK_SECONDS = 5.0  # how long the processes of a killed gate may take to notice
STEADY_SECONDS = 60.0  # a process that lived this long did not die of its start
MOST_DEATHS = 5  # in a row; with `once` the gate gives up then


@dataclass(slots=True, frozen=True)
class Summary:
    """What a run did, by its own metrics."""

    records: int = 0
    bytes: int = 0  # as read
    findings: dict[str, int] = field(default_factory=dict)  # by rule
    quarantined: int = 0
    dropped: int = 0
    objects: int = 0
    object_bytes: int = 0
    pending: int = 0  # segments that stay in the spool


def run(config: Config, *, once: bool = False, report: Callable[[Summary], None] = lambda _: None) -> int:
    """Run the gate until it is told to stop or its sources end; `once`: until what is there now is shipped.

    Returns 0 when it ended in order; 1 when it could not start, gave up, or `once` could not ship everything. `report`
    gets the figures at the end. Raises settings.SettingsError for a policy that cannot be used.
    """
    log = config.telemetry.log
    events.configure_logs(log.level, log.format)
    policy = load_policy(config.policy)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Gate(config, policy, once).run(report))


class Child:
    """One process of the gate through its deaths: whether it works, and why it waits."""

    def __init__(self, name: str, duties: Callable[[], Duties], *, stdin: bool = False) -> None:
        self.name = name
        self.duties, self.stdin = duties, stdin
        self.process: Process | None = None
        self.ready = False
        self.up = asyncio.Event()  # was ready once
        self.waiting: str | None = None
        self.failure: str | None = None
        self.pending = 0

    def start(self) -> Process:
        self.ready, self.waiting, self.failure = False, None, None
        self.process = Process.start(self.duties(), self._told, stdin=self.stdin)
        return self.process

    def send(self, message: Message) -> None:
        if self.process:
            self.process.send(message)

    def kill(self) -> None:
        if self.process:
            self.process.kill()

    def _told(self, message: Message) -> None:
        match message:
            case Ready():
                self.ready = True
                self.up.set()
            case Waiting(reason):
                self.waiting = reason
            case Failed(what):
                self.failure = what
            case Drained(pending):
                self.pending = pending


class Gate:
    """One run of the gate."""

    def __init__(self, config: Config, policy: Policy, once: bool) -> None:
        self._config, self._policy, self._once = config, policy, once
        self._telemetry = config.spool.directory / "telemetry"
        files = any(isinstance(options, FileOptions) for options in config.sources.values())
        count = config.workers if files else 1  # stdin cannot be shared
        self._workers = [
            Child(f"worker-{number}", partial(self._worker, number, count), stdin=number == 0)
            for number in range(count)
        ]
        self._shipper = Child("shipper", lambda: self._duties(ship, config))
        self._children = [*self._workers, self._shipper]
        self._stopping = asyncio.Event()
        self._given_up = False
        self._backoff = Backoff(first=0.5, most=30.0)

    async def run(self, report: Callable[[Summary], None]) -> int:
        """Start, keep running, drain; the exit code."""
        try:
            recovered = await self._recover()
        except (SpoolRefused, SpoolError) as error:
            events.GateRefused(str(error)).emit()
            return 1
        with recovered:
            telemetry.open_directory(self._telemetry)
            telemetry.share(self._telemetry)
            try:
                server = self._serve()
            except OSError as error:
                events.GateRefused(f"telemetry.listen: {error.strerror or error}").emit()
                return 1
            try:
                code = await self._supervise()
                report(self._summary())
                return code
            finally:
                for child in self._children:
                    child.kill()
                if server:
                    server.close()
                telemetry.unshare()

    async def _recover(self) -> Recovered:
        """Take the spool; processes of a gate that was killed a moment ago may still be about to let go of it."""
        config = self._config
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                found = recover(config.spool.directory, node=config.node, exporters=list(config.exporters))
                break
            except SpoolRefused:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.05)
        if found.cut_bytes or found.sealed:
            events.SpoolRecovered(found.sealed, found.cut_bytes).emit()
        if found.rebuilt:
            events.LedgerRebuilt(found.rebuilt).emit()
        for damage in found.damaged:
            events.SegmentDamaged(damage.file, damage.what, damage.lost.records if damage.lost else -1).emit()
        return found

    async def _supervise(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, signal.Signals(number).name)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(self._reload()))
        keeping = [asyncio.create_task(self._keep(worker)) for worker in self._workers]
        shipping = asyncio.create_task(self._keep(self._shipper))
        starting = asyncio.create_task(self._announce())
        stopping = asyncio.create_task(self._stopping.wait())
        reading: asyncio.Future[Any] = asyncio.gather(*keeping)
        try:
            await asyncio.wait({reading, shipping, stopping}, return_when=asyncio.FIRST_COMPLETED)
            until = time.monotonic() + GRACE_SECONDS
            for worker in self._workers:
                worker.send(Stop())
            in_time = await self._ended(reading, self._workers, until)
            self._shipper.send(Drain(PATIENCE_SECONDS))
            # With `once`, what is there is all there is to do: it may take its time as long as segments arrive.
            in_time &= await self._ended(shipping, [self._shipper], None if self._once else until)
        except StartError as error:
            events.GateRefused(str(error)).emit()
            return 1
        finally:
            for task in (*keeping, shipping, starting, stopping):
                task.cancel()
            await asyncio.gather(*keeping, shipping, starting, stopping, reading, return_exceptions=True)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)
        pending = self._pending()
        events.GateStopped(pending).emit()
        return int(self._given_up or not in_time or bool(self._once and pending))

    # Children

    def _duties(self, work_: Callable[[Any, Channel], Awaitable[None]], argument: object) -> Duties:
        log = self._config.telemetry.log
        return Duties(work_, argument, log.level, log.format, self._telemetry)

    def _worker(self, number: int, count: int) -> Duties:
        return self._duties(work, WorkerTask(self._config, self._policy, number, count, self._once))

    async def _keep(self, child: Child) -> None:
        """Run a child until it ends in order, starting it again when it dies. Raises StartError."""
        deaths = 0
        while True:
            started = time.monotonic()
            process = child.start()
            code = await process.ended()
            telemetry.forget(process.pid)
            child.ready = False
            if code == 0:
                return
            if child.failure is not None:
                raise StartError(f"{child.name}: {child.failure}")
            deaths = 1 if time.monotonic() - started > STEADY_SECONDS else deaths + 1
            if self._stopping.is_set() or (self._once and deaths >= MOST_DEATHS):
                self._given_up = True
                return
            delay = self._backoff.delay(deaths)
            events.ProcessDied(child.name, code, round(delay, 2)).emit()
            await asyncio.sleep(delay)

    async def _ended(self, what: "asyncio.Future[Any]", children: list[Child], until: float | None) -> bool:
        """Wait for children to end in order, at most until then; those that do not are killed. Whether they did."""
        left = None if until is None else max(0.0, until - time.monotonic())
        done, _ = await asyncio.wait({what}, timeout=left)
        if done:
            what.result()
            return True
        for child in children:
            child.kill()
        return False

    def _stop(self, reason: str) -> None:
        if self._stopping.is_set():  # asked twice: at once; the spool holds what was committed
            for child in self._children:
                child.kill()
            return
        events.GateStopping(reason).emit()
        self._stopping.set()

    async def _reload(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            policy = load_policy(self._config.policy)
            await loop.run_in_executor(None, Scrubber, policy)  # all or nothing: it must compile, too
        except (SettingsError, ValueError, OSError) as error:
            events.PolicyRefused(str(error)).emit()
            return
        self._policy = policy
        for worker in self._workers:
            worker.send(Reload(policy))
        events.PolicyReloaded(policy.fingerprint).emit()

    # What it tells

    async def _announce(self) -> None:
        await asyncio.gather(*(child.up.wait() for child in self._children))
        listen = self._config.telemetry.listen or ""
        events.GateStarted(version("sluicegate"), len(self._workers), self._policy.fingerprint, str(listen)).emit()

    def _serve(self) -> telemetry.Server | None:
        telemetry.set_build_info()
        telemetry.POLICY_INFO.set(1, fingerprint=self._policy.fingerprint)
        address = self._config.telemetry.address
        return telemetry.Server(*address, self._readiness) if address else None

    def _readiness(self) -> telemetry.Readiness:
        starting = tuple(f"{child.name}: starting" for child in self._children if not child.ready)
        waiting = tuple(f"{child.name}: {child.waiting}" for child in self._children if child.waiting)
        return telemetry.Readiness(starting + waiting)

    def _pending(self) -> int:
        return self._shipper.pending

    def _summary(self) -> Summary:
        findings: dict[str, int] = {}
        for (name, labels), value in telemetry.samples().items():
            if name == telemetry.FINDINGS.name:
                rule = dict(labels)["rule"]
                findings[rule] = findings.get(rule, 0) + int(value)
        return Summary(
            records=int(telemetry.total(telemetry.RECORDS_RECEIVED)),
            bytes=int(telemetry.total(telemetry.BYTES_RECEIVED)),
            findings=findings,
            quarantined=int(telemetry.total(telemetry.RECORDS_QUARANTINED)),
            dropped=int(telemetry.total(telemetry.RECORDS_DROPPED)),
            objects=int(telemetry.total(telemetry.EXPORT_OBJECTS)),
            object_bytes=int(telemetry.total(telemetry.EXPORT_BYTES)),
            pending=self._pending(),
        )
