"""A worker process: its share of the sources, one scrubber, one way into the spool."""

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from collector import events
from collector.config import Config
from collector.pipeline import Pipeline
from collector.process import Channel, Ready, Reload, StartError, Stop, Using, Waiting
from collector.quarantine import Quarantine, QuarantineError
from collector.routing import Routes
from collector.scrubbing import Scrubbing
from collector.sources.file import FileOptions, FileSource
from collector.sources.otlp.options import OtlpOptions
from collector.sources.otlp.source import OtlpSource
from collector.sources.source import Source
from collector.sources.stdin import StdinOptions, StdinSource
from collector.spool import Limits, Spool, SpoolError, SpoolRefused
from scrubbers import Policy, Scrubber

DAY = 86_400.0  # seconds
SHARE_OF_REQUESTS = 8  # one part in so many of `memory_limit` is requests, where the source does not say
SHARE_IN_FLIGHT = 24  # one part in so many of `memory_limit` is batches: each is there in several forms at once


@dataclass(slots=True, frozen=True)
class WorkerTask:
    """What a worker is to do: be number `worker` of `workers`; `once`: read what is there and end."""

    config: Config
    policy: Policy
    worker: int
    workers: int
    once: bool


async def work(task: WorkerTask, channel: Channel) -> None:
    """Read, scrub and commit until told to stop, or until no source has any more. Raises StartError."""
    config = task.config
    scrubbing = Scrubbing(Scrubber(task.policy), Routes(config.retention))
    spool, quarantine = _open(config, task.worker)
    pipeline = Pipeline(
        spool,
        scrubbing,
        quarantine,
        max_bytes=config.spool.max_bytes,
        drop_oldest=config.spool.overflow == "drop_oldest",
        in_flight=config.memory_limit // SHARE_IN_FLIGHT,
        waiting=lambda reason: channel.send(Waiting(reason)),
    )
    receivers = [
        OtlpSource(name, options, memory=config.memory_limit // SHARE_OF_REQUESTS)
        for name, options in config.sources.items()
        if isinstance(options, OtlpOptions)
    ]
    try:
        for receiver in receivers:
            await receiver.start(pipeline.submit)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(pipeline.run())
            sources = [tasks.create_task(source.run(pipeline.put)) for source in _sources(task, spool, scrubbing)]
            sources += [tasks.create_task(receiver.run()) for receiver in receivers]
            commands = tasks.create_task(_obey(channel, scrubbing, sources))
            channel.send(Using(task.policy.fingerprint))
            # What is there now stays for good: looking at it again and again cost 5 to 8 % of scrubbing.
            gc.collect()
            gc.freeze()
            channel.send(Ready())
            await asyncio.gather(*sources, return_exceptions=True)
            pipeline.finish()
            await running
            commands.cancel()
    finally:
        pipeline.close()
        quarantine.close()
        try:
            spool.close()
        except SpoolError as error:
            events.SpoolFailed(str(error)).emit()  # nothing is lost: the next start brings the spool in order


def _open(config: Config, worker: int) -> tuple[Spool, Quarantine]:
    limits = Limits(
        # Small enough that there is something to ship, and so to free, before the spool is full.
        segment_bytes=min(config.spool.segment_bytes, config.spool.max_bytes // (4 * config.workers)),
        segment_age=config.spool.segment_age.total_seconds(),
    )
    try:
        spool = Spool.open(config.spool.directory, node=config.node, worker=worker, limits=limits)
    except (SpoolRefused, SpoolError) as error:
        raise StartError(str(error)) from error
    found = spool.recovered
    if found.cut_bytes or found.sealed:
        events.SpoolRecovered(found.sealed, found.cut_bytes).emit()
    try:
        quarantine = Quarantine.open(
            config.spool.directory,
            config.quarantine_key_file,
            days=config.quarantine.retention.total_seconds() / DAY,
            max_bytes=config.quarantine.max_bytes,
        )
    except (QuarantineError, SpoolRefused, SpoolError) as error:
        spool.close()
        raise StartError(str(error)) from error
    return spool, quarantine


def _sources(task: WorkerTask, spool: Spool, scrubbing: Scrubbing) -> Iterator[Source]:
    """This worker's share of what it reads: files are split by the source itself, stdin belongs to the first worker."""
    for name, options in task.config.sources.items():
        match options:
            case FileOptions():
                yield FileSource(
                    name,
                    options,
                    redact=scrubbing.redact,
                    positions=spool.positions(name),
                    worker=task.worker,
                    workers=task.workers,
                    once=task.once,
                )
            case StdinOptions() if task.worker == 0:
                yield StdinSource(name, options, redact=scrubbing.redact)


async def _obey(channel: Channel, scrubbing: Scrubbing, sources: "list[asyncio.Task[None]]") -> None:
    while True:
        match await channel.receive():
            case Stop():
                for source in sources:
                    source.cancel()
            case Reload(policy):
                loop = asyncio.get_running_loop()
                scrubbing.use(await loop.run_in_executor(None, partial(Scrubber, policy)))
                channel.send(Using(policy.fingerprint))
