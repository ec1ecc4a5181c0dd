"""What the shipping process does for retention: sweeps stores, and looks whether buckets have their lifecycle rules."""

import asyncio
from collections.abc import Callable, Iterator

from collector import events
from collector.config import Config
from collector.process import StartError
from exporters.browsing import LocalObjects, S3Objects, StoreError
from exporters.exporter import ExportError, Retryable
from exporters.local import LocalOptions
from exporters.s3_options import S3Options
from exporters.sweeping import Sweeper

SECONDS = 3600.0  # how often


async def verify(config: Config) -> None:
    """Refuse to start where a bucket does not keep the retention classes and is configured to `refuse`.

    A bucket that cannot be reached is no reason: that is what the spool is for. Raises StartError.
    """
    for name, options in config.exporters.items():
        if isinstance(options, S3Options) and options.lifecycle == "refuse":
            await asyncio.to_thread(_refuse, config, name, options)


async def retain(config: Config) -> None:
    """Sweep and look, now and again and again, until cancelled. What fails is told and tried the next time."""
    duties = list(_duties(config))
    while duties:
        for duty in duties:
            await asyncio.to_thread(duty)
        await asyncio.sleep(SECONDS)


def _refuse(config: Config, name: str, options: S3Options) -> None:
    from exporters.lifecycle import Lifecycle  # boto3 costs memory and time: only where S3 is configured

    try:
        problems = Lifecycle(name, options, config.retention.classes).plan().problems
    except Retryable as error:
        events.RetentionUnknown(name, str(error)).emit()
        return
    except ExportError as error:
        raise StartError(str(error)) from error
    if problems:
        mend = "see `sluicegate retention plan` and `apply`"
        raise StartError(f"{name}: {options.place}: {'; '.join(problems)}; {mend}")


def _duties(config: Config) -> Iterator[Callable[[], None]]:
    for name, options in config.exporters.items():
        match options:
            case LocalOptions(sweep=True):
                yield _sweeps(name, Sweeper(LocalObjects(options.path), config.retention.classes))
            case S3Options(lifecycle="sweep"):
                yield _sweeps(name, Sweeper(S3Objects(options), config.retention.classes))
            case S3Options(lifecycle="warn" | "refuse"):
                yield _looks(config, name, options)


def _sweeps(name: str, sweeper: Sweeper) -> Callable[[], None]:
    def sweep() -> None:
        try:
            swept = sweeper.sweep()
        except StoreError as error:
            events.SweepFailed(name, str(error)).emit()
            return
        if swept.objects:
            events.Swept(name, swept.objects, swept.bytes).emit()

    return sweep


def _looks(config: Config, name: str, options: S3Options) -> Callable[[], None]:
    from exporters.lifecycle import Lifecycle

    lifecycle = Lifecycle(name, options, config.retention.classes)

    def look() -> None:
        try:
            problems = lifecycle.plan().problems
        except ExportError as error:
            events.RetentionUnknown(name, str(error)).emit()
            return
        if problems:
            events.RetentionMissing(name, "; ".join(problems)).emit()
        else:
            events.RetentionKept(name).emit()

    return look
