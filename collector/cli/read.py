"""`sluicegate read`: stored objects → the records in them, fetched, opened, verified and filtered."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.cli.blocks import write
from collector.cli.exits import CommandError
from collector.cli.options import Signal, Since, Store, Until
from collector.cli.resuming import Resumable
from collector.cli.wanted import Wanted

if TYPE_CHECKING:
    from exporters.browsing import ObjectStore
    from exporters.keys import AnyKey
    from exporters.reading import Block, Progress, Query, Reader

EPILOG = """\
Examples:

    $ sluicegate read --since 1h | jq .body
    $ sluicegate read --since 2026-11-24T08:00 --until 2026-11-24T09:00
    $ sluicegate read ./store --origin 'k8s.pod.name=web-*'
    $ sluicegate read s3://logs/app --key prod.key --output app.ndjson
    $ sluicegate read --signal traces --format proto --output spans.bin
    $ sluicegate read --grep 'status":5..' --limit 20 --format body
    $ sluicegate read --list                    # without fetching anything
    $ sluicegate read --output /dev/null        # only verify every byte

Credentials for S3 come from the AWS environment; another server is named by
s3://BUCKET/PREFIX?endpoint_url=URL&path_style=true. What cannot be read
whole is told on stderr, the rest is written, and the command ends with 1.
"""


def read(
    store: Store = None,
    since: Since = None,
    until: Until = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PATTERN", help="A resource attribute, or `source`; may be repeated: all must match."
        ),
    ] = None,
    signal: Signal = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|ARN",
            help="A key file, or the ARN of a key of AWS KMS; may be repeated. Default for a local store: the key file "
            "beside it.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write here instead of stdout; interrupted, the same command again goes on.")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="json|body|proto",
            help="json: lines as they are stored, and OTLP/JSON; body: of log lines the record alone, as it came; "
            "proto: what came by OTLP as protobuf, each request behind its length.",
        ),
    ] = "json",
    grep: Annotated[
        str | None, typer.Option(metavar="REGEX", help="Only lines in which this regular expression is found.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many lines; then nothing more is fetched.")
    ] = None,
    parallel: Annotated[int, typer.Option(min=0, max=32, help="Objects of a bucket fetched ahead at once.")] = 4,
    list_: Annotated[bool, typer.Option("--list", help="Only list the objects: size and key.")] = False,
) -> None:
    """Read stored records back: log lines as they are stored, what came by OTLP as OTLP/JSON."""
    from exporters.browsing import S3Objects
    from exporters.reading import Reader, Unreachable

    if form not in {"json", "body", "proto"}:
        raise typer.BadParameter("write one of json, body, proto", param_hint="--format")
    if form == "proto" and signal is None:
        raise typer.BadParameter("name the signal: bytes do not tell which it is", param_hint="--signal")
    if form == "proto" and (grep or limit):
        raise typer.BadParameter("bytes have no lines; leave out --grep and --limit", param_hint="--format")
    query = query_of(since, until, origin or [], signal, "otlp" if form == "proto" else None)
    wanted = Wanted(form, grep, limit)
    problems: list[str] = []
    found, keys = store_of(store, key or [])
    with _progress(output) as report:
        reader = Reader(found, keys, report=report, fetch_ahead=parallel if isinstance(found, S3Objects) else 0)
        if list_:
            with _output(output) as out:
                found_any = _list(reader, query, out)
        elif output is None or limit or str(output) == "-" or (output.exists() and not output.is_file()):
            with _output(output) as out:
                found_any = _copy(reader.read(query), wanted, out)
        else:
            asked = {"store": str(store), "since": since, "until": until, "origin": origin, "signal": signal}
            with Resumable(
                output, {**asked, "form": form, "grep": grep}, {"since": query.since, "until": query.until}
            ) as to:
                query = replace(query, **to.settled)
                found_any, problems = bool(to.done), to.problems
                found_any |= _copy(reader.read(query, without=to.done, done=to.note), wanted, to.write)
                to.finished = not any(isinstance(failure, Unreachable) for failure in reader.failures)
            if not to.finished:
                raise CommandError(f"{_told([], reader)}\ngive the same command again to go on with {output}")
    if problems or reader.failures:
        raise CommandError(_told(problems, reader))
    if wanted.unreadable:
        raise CommandError(f"{wanted.unreadable} requests cannot be shown as OTLP/JSON; `--format proto` gives them")
    if not found_any:
        print("sluicegate: nothing stored there matches", file=sys.stderr)


def _list(reader: "Reader", query: "Query", out: Callable[[bytes], None]) -> bool:
    found_any = False
    for each in reader.find(query):
        found_any = True
        out(f"{each.size:>12} {each.key}\n".encode(errors="surrogateescape"))
    return found_any


def _copy(blocks: "Iterator[Block]", wanted: Wanted, out: Callable[[bytes], None]) -> bool:
    """Whether there was anything."""
    found_any = False
    for header, stored in blocks:
        if lines := wanted(header, stored):
            found_any = True
            out(lines)
        if wanted.left == 0:
            break
    return found_any


def _told(before: list[str], reader: "Reader") -> str:
    problems = [*before, *map(str, reader.failures)]
    lines = problems[:100]
    if len(problems) > len(lines):
        lines.append(f"… and {len(problems) - len(lines)} more")
    return "\n".join([*lines, f"{len(problems)} of what was wanted could not be read whole"])


def query_of(since: str | None, until: str | None, origin: list[str], signal: str | None, form: str | None) -> "Query":
    """What the options ask for."""
    from exporters.reading import Query
    from exporters.signals import SIGNALS

    if signal not in {None, *SIGNALS}:
        raise typer.BadParameter(f"write one of {', '.join(SIGNALS)}", param_hint="--signal")
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


def store_of(location: str | None, given: list[str]) -> "tuple[ObjectStore, list[AnyKey]]":
    """The store at a location, and the keys that are given or lie beside it."""
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
