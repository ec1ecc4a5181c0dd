"""The gate: recovers the spool, starts workers and the shipping process, keeps them alive, drains them, reports.

SIGTERM and SIGINT drain: sources stop, what was read is committed, sealed and, if the stores answer, shipped; the rest
stays in the spool for the next start. A second one ends at once. SIGHUP, or a change of its files, loads the
policy anew, in all workers or none.
"""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

import uvloop

from collector import events, own_log, telemetry
from collector.config import Config
from collector.lane import Backoff
from collector.policy_files import PolicyFiles
from collector.privileges import PRIVATE
from collector.process import (
    Channel,
    Drain,
    Duties,
    Failed,
    Message,
    Process,
    Ready,
    Reload,
    StartError,
    Stop,
    Using,
    Waiting,
)
from collector.shipping import ship
from collector.sources.otlp.options import OtlpOptions
from collector.sources.stdin import StdinOptions
from collector.spool import Ledger, Recovered, SpoolError, SpoolRefused, pending, recover
from collector.worker import WorkerTask, work
from scrubbers import Policy, Scrubber
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
    requests: int = 0  # to destinations that get data as it comes
    sent_bytes: int = 0  # of objects and requests
    pending: int = 0  # segments that stay in the spool


def run(config: Config, *, once: bool = False, report: Callable[[Summary], None] = lambda _: None) -> int:
    """Run the gate until it is told to stop or its sources end; `once`: until what is there now is shipped.

    Returns 0 when it ended in order; 1 when it could not start, gave up, or `once` could not ship everything. `report`
    gets the figures at the end. Raises settings.SettingsError for a policy that cannot be used.
    """
    os.umask(PRIVATE)  # also that of all its processes
    log = config.telemetry.log
    own_log.configure_logs(log.level, log.format)
    files = PolicyFiles(config.policy)
    policy = files.load()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Gate(config, policy, once, files).run(report))


class Child:
    """One process of the gate through its deaths: whether it works, why it waits. `news` is set when that changes."""

    def __init__(self, name: str, duties: Callable[[str], Duties], news: asyncio.Event, *, stdin: bool = False) -> None:
        self.name = name
        self.duties, self.news, self.stdin = duties, news, stdin
        self.process: Process | None = None
        self.ready = self.done = False  # works; has ended in order
        self.once_ready = asyncio.Event()
        self.policy: str | None = None  # the fingerprint of the one in use
        self.waiting: str | None = None
        self.failure: str | None = None

    def start(self) -> Process:
        self.ready, self.policy, self.waiting, self.failure = False, None, None, None
        self.process = Process.start(self.duties(self.name), self._told, stdin=self.stdin)
        return self.process

    def send(self, message: Message) -> None:
        if self.process:
            self.process.send(message)

    def kill(self) -> None:
        if self.process:
            self.process.kill()

    async def end(self) -> None:
        """Kill it if it is still there, and wait for its end."""
        if self.process:
            self.process.kill()
            await self.process.ended()

    def _told(self, message: Message) -> None:
        match message:
            case Ready():
                self.ready = True
                self.once_ready.set()
            case Using(policy):
                self.policy = policy
            case Waiting(reason):
                self.waiting = reason
            case Failed(what):
                self.failure = what
        self.news.set()


class Gate:
    """One run of the gate."""

    def __init__(self, config: Config, policy: Policy, once: bool, policy_files: PolicyFiles) -> None:
        self._config, self._policy, self._once = config, policy, once
        self._policy_files = policy_files
        self._telemetry = config.spool.directory / "telemetry"
        shared = any(not isinstance(options, StdinOptions) for options in config.sources.values())
        count = config.workers if shared else 1  # stdin cannot be shared
        self._news = asyncio.Event()
        self._workers = [
            Child(f"worker-{number}", partial(self._worker, number, count), self._news, stdin=number == 0)
            for number in range(count)
        ]
        self._shipper = Child("shipper", partial(self._duties, ship, config), self._news)
        self._children = [*self._workers, self._shipper]
        self._stopping = asyncio.Event()
        self._hangups = asyncio.Event()
        self._up = self._given_up = False
        self._server: telemetry.Server | None = None
        self._backoff = Backoff(first=0.5, most=30.0)

    async def run(self, report: Callable[[Summary], None]) -> int:
        """Start, keep running, drain; the exit code."""
        try:
            recovered = await self._recover()
            self._ledger = Ledger.open(self._config.spool.directory)
        except (SpoolRefused, SpoolError) as error:
            events.GateRefused(str(error)).emit()
            return 1
        with recovered, closing(self._ledger):
            telemetry.open_directory(self._telemetry)
            telemetry.share(self._telemetry)
            try:
                self._look_at_addresses()
                with self._serving(), self._exporting():
                    code = await self._supervise()
                report(self._summary())
            except StartError as error:
                events.GateRefused(str(error)).emit()
                return 1
            finally:
                for child in self._children:
                    await child.end()
                telemetry.unshare()
        return code

    def _look_at_addresses(self) -> None:
        """See that nobody else listens where sources are to: workers share their ports, and would share them with
        another gate too. Raises StartError."""
        for name, options in self._config.sources.items():
            if not isinstance(options, OtlpOptions):
                continue
            if self._once:
                raise StartError(f"sources.{name}: waits for whoever sends, so with --once it would never end")
            for protocol, address in options.addresses.items():
                family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
                try:
                    socket.create_server(address, family=family).close()
                except OSError as error:
                    raise StartError(f"sources.{name}.{protocol}.listen: {error.strerror or error}") from error

    async def _recover(self) -> Recovered:
        """Take the spool; processes of a gate that was killed a moment ago may still be about to let go of it."""
        config = self._config
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                signals = {name: options.signals for name, options in config.exporters.items()}
                found = recover(config.spool.directory, node=config.node, exporters=signals.keys(), signals=signals)
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
            events.SegmentDamaged(damage.file, damage.what, damage.lost.records if damage.lost else None).emit()
        return found

    async def _supervise(self) -> int:
        """Keep all processes running until there is nothing more to read, or we are told to stop; then drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number.name)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        workers: asyncio.Future[Any] = asyncio.gather(*map(self._keep, self._workers))
        shipper: asyncio.Future[Any] = asyncio.ensure_future(self._keep(self._shipper))
        stopping: asyncio.Future[Any] = asyncio.ensure_future(self._stopping.wait())
        beside = [stopping, *map(asyncio.ensure_future, (self._announce(), self._reload(), self._watch()))]
        try:
            await asyncio.wait({workers, shipper, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._stopping.set()
            until = time.monotonic() + GRACE_SECONDS
            for worker in self._workers:
                worker.send(Stop())
            in_time = await _ended(workers, self._workers, until)
            self._shipper.send(Drain(PATIENCE_SECONDS))
            # With `once`, what is there is all there is to do: it may take its time as long as segments arrive.
            in_time &= await _ended(shipper, [self._shipper], None if self._once else until)
        finally:
            for task in (workers, shipper, *beside):
                task.cancel()
            await asyncio.gather(workers, shipper, *beside, return_exceptions=True)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)
        pending = self._segments()
        events.GateStopped(pending).emit()
        return int(self._given_up or not in_time or bool(self._once and pending))

    async def _keep(self, child: Child) -> None:
        """Have a process run until it ends in order, or the gate stops; start it again when it dies.

        Raises StartError if it says, before the gate was ever up, that it cannot work as configured.
        """
        deaths = 0
        while True:
            born = time.monotonic()
            process = child.start()
            code = await process.ended()
            child.ready, child.done = False, code == 0
            self._news.set()
            telemetry.forget(process.pid)
            if code == 0:
                return
            if self._stopping.is_set():
                self._given_up = True  # it did not drain; the next start goes on from what it had committed
                return
            if child.failure and not self._up:
                raise StartError(child.failure)
            deaths = 1 if time.monotonic() - born > STEADY_SECONDS else deaths + 1
            if self._once and deaths == MOST_DEATHS:
                self._given_up = True
                return
            delay = self._backoff.delay(deaths)
            events.ProcessDied(child.name, code, child.failure or "", delay).emit()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
                    self._given_up = True
                    return

    def _stop(self, reason: str) -> None:
        if not self._stopping.is_set():
            events.GateStopping(reason).emit()
            self._stopping.set()
            return
        self._given_up = True
        for child in self._children:
            child.kill()

    def _hang_up(self) -> None:
        self._hangups.set()
        self._news.set()

    async def _announce(self) -> None:
        for child in self._children:
            await child.once_ready.wait()
        self._up = True
        where = "{}:{}".format(*self._server.address) if self._server else "none"
        events.GateStarted(version("sluicegate"), len(self._workers), self._policy.fingerprint, where).emit()

    async def _reload(self) -> None:
        """On each hang-up or change of its files: read the policy and try it here, then have all workers use it."""
        while True:
            await self._hangups.wait()
            self._hangups.clear()
            try:
                policy = await asyncio.to_thread(self._policy_files.load)
                await asyncio.to_thread(Scrubber, policy)
            except (SettingsError, ValueError, OSError) as error:
                events.PolicyRefused(str(error)).emit()
                continue
            except Exception as error:
                events.PolicyRefused(type(error).__name__).emit()
                continue
            telemetry.POLICY_INFO.set(0, fingerprint=self._policy.fingerprint)
            telemetry.POLICY_INFO.set(1, fingerprint=policy.fingerprint)
            self._policy = policy  # also for workers that are started later
            for worker in self._workers:
                worker.send(Reload(policy))
            if await self._in_force():
                events.PolicyReloaded(policy.fingerprint).emit()

    async def _watch(self) -> None:
        while True:
            await self._policy_files.changed()
            self._hang_up()

    async def _in_force(self) -> bool:
        """Wait until all workers scrub by the policy; False if another one is asked for meanwhile."""
        while any(not worker.done and worker.policy != self._policy.fingerprint for worker in self._workers):
            if self._hangups.is_set():
                return False
            self._news.clear()
            await self._news.wait()
        return True

    def _worker(self, number: int, count: int, name: str) -> Duties:
        return self._duties(work, WorkerTask(self._config, self._policy, number, count, self._once), name)

    def _duties(self, role: Callable[[Any, Channel], Awaitable[None]], argument: object, name: str) -> Duties:
        log = self._config.telemetry.log
        own = self._config.telemetry.otlp
        return Duties(name, role, argument, log.level, log.format, self._telemetry, self._config.node, own)

    # What the gate tells ---------------------------------------------------------------------------------------------

    @contextmanager
    def _serving(self) -> Iterator[None]:
        """Serve telemetry where it is configured. Raises StartError."""
        telemetry.set_build_info()
        telemetry.POLICY_INFO.set(1, fingerprint=self._policy.fingerprint)
        telemetry.SPOOL_LIMIT_BYTES.set(self._config.spool.max_bytes)
        address = self._config.telemetry.address
        if address is None:
            yield
            return
        try:
            self._server = telemetry.Server(*address, self._readiness, self._measure)
        except OSError as error:
            raise StartError(f"telemetry.listen: {error.strerror or error}") from error
        try:
            yield
        finally:
            self._server.close()

    @contextmanager
    def _exporting(self) -> Iterator[None]:
        """Send own telemetry where that is configured. Raises StartError."""
        options = self._config.telemetry.otlp
        if options is None:
            yield
            return
        from collector.own.export import OwnTelemetry  # costs memory

        try:
            own = OwnTelemetry.start(options, "gate", self._config.node, self._measure)
        except OSError as error:
            raise StartError(f"telemetry.otlp.tls: {error.filename or ''}: {error.strerror or error}") from error
        try:
            yield
        finally:
            own.close()

    def _readiness(self) -> telemetry.Readiness:
        reasons = [f"{child.name} is starting" for child in self._children if not (child.ready or child.done)]
        reasons += dict.fromkeys(child.waiting for child in self._children if child.waiting)
        return telemetry.Readiness((*reasons, *(["draining"] if self._stopping.is_set() else [])))

    def _measure(self) -> None:
        with suppress(SpoolError):
            telemetry.SPOOL_BYTES.set(self._ledger.usage("segments"))
            telemetry.QUARANTINE_BYTES.set(self._ledger.usage("quarantine"))
            for balance in self._ledger.balance():
                for outcome, records in balance.records.items():
                    telemetry.LEDGER_RECORDS.set(
                        records, source=balance.origin, destination=balance.destination, outcome=outcome
                    )
            for exporter, size in pending(self._ledger).items():
                telemetry.EXPORT_PENDING_BYTES.set(size, exporter=exporter)
            for state in ("open", "sealed"):
                telemetry.SPOOL_SEGMENTS.set(self._segments(state), state=state)

    def _segments(self, state: str = "%") -> int:
        return int(self._ledger.read("SELECT count(*) FROM segment WHERE state LIKE ?", state)[0][0])

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
            requests=int(telemetry.total(telemetry.EXPORT_REQUESTS)),
            sent_bytes=int(telemetry.total(telemetry.EXPORT_BYTES)),
            pending=self._segments(),
        )


async def _ended(task: "asyncio.Future[Any]", children: Iterable[Child], until: float | None) -> bool:
    """Wait for a task that keeps children, and kill them at `until`, by the monotonic clock; whether it was in time."""
    timeout = None if until is None else max(0.0, until - time.monotonic())
    done, _ = await asyncio.wait({task}, timeout=timeout)
    if not done:
        for child in children:
            child.kill()
    await task
    return bool(done)
