"""`sluicegate ls`: what is stored, day by day: how much, and how long it will still be there."""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from collector.cli.exits import CommandError
from collector.cli.options import Signal, Since, Store, Until

if TYPE_CHECKING:
    from exporters.browsing import ObjectStore, StoredObject

EPILOG = """\
Examples:

    $ sluicegate ls
    $ sluicegate ls s3://logs/app --config gate.yaml --since 7d
    $ sluicegate ls ./store --records --json | jq '.[].records'

Sizes are those of the objects as stored. `left` is how long the object of a
day that goes first will still be kept, by the classes of --config; `read
--list` lists every object.
"""

_AT_ONCE = 8  # objects asked for their number of records

ConfigFile = Annotated[Path | None, typer.Option(help="The gate's configuration file, for its retention classes.")]


@dataclass(slots=True)
class Day:
    """What is stored of one class, signal and day. `left`: seconds; None: the class is not known."""

    objects: int = 0
    bytes: int = 0
    records: int = 0
    left: float | None = None


def ls(
    store: Store = None,
    since: Since = None,
    until: Until = None,
    signal: Signal = None,
    config: ConfigFile = None,
    records: Annotated[bool, typer.Option("--records", help="Count records, too: asks for every object.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: sizes in bytes, `left` in seconds.")] = False,
) -> None:
    """List what is stored by retention class, signal and day: objects, size, and how long it is still kept."""
    from collector.cli.read import query_of, store_of
    from collector.config import RetentionOptions, load
    from exporters.reading import Reader

    classes = (load(config).retention if config else RetentionOptions()).classes
    found, _ = store_of(store, [])
    reader = Reader(found)
    objects = list(reader.find(query_of(since, until, [], signal, None)))
    days = _days(objects, classes, time.time())
    if records:
        for (key, count), each in zip(_counted(found, objects), objects, strict=True):
            if count is None:
                raise CommandError(f"{key}: its records cannot be counted; see what `sluicegate read` says of it")
            days[_place(each)].records += count
    if as_json:
        print(json.dumps([_plain(place, day, records) for place, day in sorted(days.items())], indent=2))
    else:
        _show(days, records)
    if reader.failures:
        raise CommandError("\n".join(map(str, reader.failures)))


def _days(
    objects: "list[StoredObject]", classes: Mapping[str, timedelta], now: float
) -> dict[tuple[str, str, str], Day]:
    from exporters.segment import OBJECT_KEY, born

    days: dict[tuple[str, str, str], Day] = {}
    for each in objects:
        match = OBJECT_KEY.search(each.key)
        assert match
        day = days.setdefault(_place(each), Day())
        day.objects += 1
        day.bytes += each.size
        if kept := classes.get(match["retention"]):
            left = kept.total_seconds() - (now - max(born(match["segment"]), each.modified))
            day.left = left if day.left is None else min(day.left, left)
    return days


def _place(each: "StoredObject") -> tuple[str, str, str]:
    from exporters.segment import OBJECT_KEY

    match = OBJECT_KEY.search(each.key)
    assert match
    return match["retention"], match["signal"], match["date"]


def _counted(store: "ObjectStore", objects: "list[StoredObject]") -> "Iterator[tuple[str, int | None]]":
    """Each object's number of records, as was noted when it was stored: `read` verifies it, this does not."""
    from exporters.counting import records_of

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        yield from zip(
            [each.key for each in objects],
            threads.map(lambda each: records_of(store, each.key), objects),
            strict=True,
        )


def _plain(place: tuple[str, str, str], day: Day, records: bool) -> dict[str, Any]:
    named = dict(zip(("class", "signal", "day"), place, strict=True))
    counted = {"records": day.records} if records else {}
    left = None if day.left is None else max(0, int(day.left))
    return {**named, "objects": day.objects, "bytes": day.bytes, **counted, "left": left}


def _show(days: dict[tuple[str, str, str], Day], records: bool) -> None:
    from rich.filesize import decimal
    from rich.table import Table

    from collector.cli.terminal import Console

    table = Table("class", "signal", "day", box=None, pad_edge=False, header_style="bold")
    for name in ("objects", "size", *(["records"] if records else []), "left"):
        table.add_column(name, justify="right")
    for place, day in sorted(days.items()):
        counted = [f"{day.records:,}"] if records else []
        table.add_row(*place, f"{day.objects:,}", decimal(day.bytes), *counted, _left(day.left))
    all_ = list(days.values())
    counted = [f"{sum(day.records for day in all_):,}"] if records else []
    total = f"{sum(day.objects for day in all_):,}", decimal(sum(day.bytes for day in all_))
    table.add_row("total", "", "", *total, *counted, "")
    Console().print(table)


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds <= 0:
        return "due"
    days, rest = divmod(int(seconds), 86_400)
    return f"{days}d {rest // 3600}h" if days else f"{rest // 3600}h {rest % 3600 // 60}m"
