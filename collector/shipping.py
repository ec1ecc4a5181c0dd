"""The shipping process: the exporters, and what else is done once per node beside the workers."""

import asyncio
import time
from contextlib import suppress

from collector import events
from collector.config import Config
from collector.process import Channel, Drain, Ready, StartError
from collector.quarantine import Quarantine, QuarantineError
from collector.retaining import retain, verify
from collector.shipper import Shipper
from collector.spool import Deliveries, SpoolError, SpoolRefused
from exporters.exporter import Destination, Exporter, ExportError, StreamExporter
from exporters.keys import SealError
from exporters.local import LocalOptions, LocalStore
from exporters.null import NullOptions, NullStore
from exporters.otlp.options import OtlpDestination
from exporters.s3_options import S3Options

DAY = 86_400.0  # seconds
EXPIRE_SECONDS = 60.0  # how often the quarantine is looked through for what is old enough to go


async def ship(config: Config, channel: Channel) -> None:
    """Send what the workers seal until told to drain. Raises StartError."""
    exporters = build(config)
    await verify(config)
    try:
        deliveries = Deliveries.open(config.spool.directory)
        quarantine = Quarantine.open(
            config.spool.directory,
            config.quarantine_key_file,
            days=config.quarantine.retention.total_seconds() / DAY,
            max_bytes=config.quarantine.max_bytes,
        )
    except (SpoolRefused, SpoolError, QuarantineError) as error:
        raise StartError(str(error)) from error
    shipper = Shipper(deliveries, exporters)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(shipper.run()), tasks.create_task(_expire(quarantine))]
            running += [tasks.create_task(_check(exporter)) for exporter in exporters]
            running.append(tasks.create_task(retain(config)))
            channel.send(Ready())
            while not isinstance(told := await channel.receive(), Drain):
                pass
            await shipper.drain(told.seconds)
            for task in running:
                task.cancel()
    finally:
        shipper.close()
        quarantine.close()
        deliveries.close()


def build(config: Config) -> list[Exporter | StreamExporter]:
    """The configured exporters. Raises StartError."""
    exporters: list[Exporter | StreamExporter] = []
    try:
        for name, options in config.exporters.items():
            match options:
                case LocalOptions():
                    exporters.append(LocalStore(name, options))
                case S3Options():
                    from exporters.s3 import S3Store  # boto3 costs memory and time: only where S3 is configured

                    exporters.append(S3Store(name, options))
                case OtlpDestination():
                    from exporters.otlp.exporter import OtlpExporter

                    exporters.append(OtlpExporter(name, options))
                case NullOptions():
                    exporters.append(NullStore(name, options))
    except (SealError, ExportError) as error:
        raise StartError(str(error)) from error
    return exporters


async def _check(exporter: Destination) -> None:
    """Say early what is wrong with a destination; it may be mended while the gate runs, so this ends nothing."""
    try:
        await asyncio.to_thread(exporter.check)
    except ExportError as error:
        events.ExportDelayed(exporter.name, str(error), attempt=0, retry_in=0.0).emit()


async def _expire(quarantine: Quarantine) -> None:
    while True:
        with suppress(SpoolError):
            await asyncio.to_thread(quarantine.expire, time.time_ns())
        await asyncio.sleep(EXPIRE_SECONDS)
