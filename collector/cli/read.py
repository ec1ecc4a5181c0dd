"""`sluicegate read`: stored objects → the records in them, fetched, opened, verified and filtered."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.blocks import write
from collector.cli.exits import CommandError

if TYPE_CHECKING:
    from exporters.browsing import ObjectStore
    from exporters.chunk import ChunkHeader
    from exporters.keys import AnyKey
    from exporters.reading import Progress, Query, Reader

EPILOG = """\
Examples:

    $ sluicegate read --since 1h | jq .body
    $ sluicegate read --since 2026-11-24T08:00 --until 2026-11-24T09:00
    $ sluicegate read ./store --origin 'k8s.pod.name=web-*'
    $ sluicegate read s3://logs/app --key prod.key --output app.ndjson
    $ sluicegate read --signal traces --format proto --output spans.bin
    $ sluicegate read --list                    # without fetching anything
    $ sluicegate read --output /dev/null        # only verify every byte

Credentials for S3 come from the AWS environment; another server is named by
s3://BUCKET/PREFIX?endpoint_url=URL&path_style=true. What cannot be read
whole is told on stderr, the rest is written, and the command ends with 1.
"""


def read(
    store: Annotated[
        str | None, typer.Argument(help="A path, file:///path or s3://bucket/prefix; none: the embedded default's.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on: how long ago (1h, 7d), or RFC 3339, UTC.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PATTERN", help="A resource attribute, or `source`; may be repeated: all must match."
        ),
    ] = None,
    signal: Annotated[str | None, typer.Option(help="Only logs, traces or metrics.")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|ARN",
            help="A key file, or the ARN of a key of AWS KMS; may be repeated. Default for a local store: the key file "
            "beside it.",
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write here instead of stdout.")] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="json|proto",
            help="Of what came by OTLP: a line of OTLP/JSON a request, or protobuf, each request behind its length.",
        ),
    ] = "json",
    list_: Annotated[bool, typer.Option("--list", help="Only list the objects: size and key.")] = False,
) -> None:
    """Read stored records back: log lines as they are stored, what came by OTLP as OTLP/JSON."""
    from exporters.reading import Reader

    if form not in {"json", "proto"}:
        raise typer.BadParameter("write one of json, proto", param_hint="--format")
    if form == "proto" and signal is None:
        raise typer.BadParameter("name the signal: bytes do not tell which it is", param_hint="--signal")
    query = _query(since, until, origin or [], signal, "otlp" if form == "proto" else None)
    found, keys = _store(store, key or [])
    with _output(output) as out, _progress(output) as report:
        reader = Reader(found, keys, report=report)
        found_any, unreadable = False, 0
        if list_:
            for each in reader.find(query):
                found_any = True
                out(f"{each.size:>12} {each.key}\n".encode(errors="surrogateescape"))
        else:
            for header, records in reader.read(query):
                found_any = True
                if header.format == "lines" or form == "proto":
                    out(records)
                    continue
                lines, failed = _json(header, records)
                unreadable += failed
                out(lines)
    if reader.failures:
        raise CommandError(_told(reader))
    if unreadable:
        raise CommandError(f"{unreadable} requests cannot be shown as OTLP/JSON; `--format proto` gives them")
    if not found_any:
        print("sluicegate: nothing stored there matches", file=sys.stderr)


def _json(header: "ChunkHeader", stored: bytes) -> tuple[bytes, int]:
    """The requests of a chunk as lines, and how many cannot be shown so."""
    from exporters.otlp_json import readable
    from exporters.requests import NotOtlp, requests

    lines, failed = [], 0
    for request in requests(stored):
        try:
            lines.append(readable(header.signal, request))
        except NotOtlp:
            failed += 1
    return b"".join(lines), failed


def _told(reader: "Reader") -> str:
    lines = [str(failure) for failure in reader.failures[:100]]
    if len(reader.failures) > len(lines):
        lines.append(f"… and {len(reader.failures) - len(lines)} more")
    return "\n".join([*lines, f"{len(reader.failures)} of what was wanted could not be read whole"])


def _query(since: str | None, until: str | None, origin: list[str], signal: str | None, form: str | None) -> "Query":
    from exporters.reading import Query

    if signal not in {None, "logs", "traces", "metrics"}:
        raise typer.BadParameter("write one of logs, traces, metrics", param_hint="--signal")
    resource = {}
    for text in origin:
        name, separator, pattern = text.partition("=")
        if not (name and separator):
            raise typer.BadParameter("write NAME=PATTERN, such as k8s.pod.name='web-*'", param_hint="--origin")
        resource[name] = pattern
    source = resource.pop("source", None)
    times = _time(since, "--since"), _time(until, "--until")
    return Query(*times, signal=signal, source=source, resource=resource, format=form)


def _time(text: str | None, option: str) -> int | None:
    """Nanoseconds since the epoch; a time without a zone is UTC."""
    from settings import parse_duration

    if text is None:
        return None
    try:
        moment = datetime.now(UTC) - parse_duration(text)
    except (ValueError, OverflowError):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            wanted = "write how long ago (90s, 1h, 7d) or a time such as 2026-11-24T08:00:00Z"
            raise typer.BadParameter(wanted, param_hint=option) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000_000) * 1000


def _store(location: str | None, given: list[str]) -> "tuple[ObjectStore, list[AnyKey]]":
    from exporters.browsing import LocalObjects, LocationError, StoreError, find_store
    from exporters.keys import KmsKey, SealError, load_keys
    from exporters.objects import default_key_file

    if location is None:
        from collector.config import home

        location = str(home() / "store")
    try:
        store = find_store(location)
        if not given and isinstance(store, LocalObjects) and default_key_file(store.path).exists():
            given = [str(default_key_file(store.path))]
        keys: list[AnyKey] = []
        for each in given:
            keys += [KmsKey(each)] if each.startswith("arn:") else load_keys(Path(each))
        return store, keys
    except LocationError as error:
        raise typer.BadParameter(str(error), param_hint="STORE") from None
    except (StoreError, SealError) as error:
        raise CommandError(str(error)) from None


@contextmanager
def _output(path: Path | None) -> Iterator[Callable[[bytes], None]]:
    """Where records go; a file appears under its name once it is whole."""
    if path is None or str(path) == "-":
        yield lambda data: write(1, data)
        return
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            yield lambda data: write(device.fileno(), data)
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("xb") as file:
            yield lambda data: write(file.fileno(), data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _progress(output: Path | None) -> "Iterator[Callable[[Progress], None] | None]":
    """A bar on stderr, where a person looks at it and records do not run through it."""
    if not sys.stderr.isatty() or (output is None and sys.stdout.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("objects")

        def report(progress: "Progress") -> None:
            done = f"{progress.objects_done}/{progress.objects} objects"
            bar.update(task, description=done, completed=progress.bytes_done, total=progress.bytes)

        yield report
