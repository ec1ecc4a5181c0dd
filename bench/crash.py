"""Kills the gate with -9 over and over, while a writer rotates its files and the store fails; counts what arrived.

    python -m bench.crash [--kills N] [--rate MB/S] [--size MIB] [--rotation KIND] [--seed N] [--json FILE]

Every record carries a number. At the end each number must be in the S3 store exactly once, nothing personal with it,
and the ledger must say the same. The store stands behind a proxy that refuses, cuts, delays and changes what is sent.
Files are rotated away from under the gate whether it runs or not; those rotated away stay until the end, for what is
deleted unread no reader can have. The writer stops at `--size`; kills go on while there is something left to read.
"""

import argparse
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.results import show
from collector.spool import Ledger
from exporters.browsing import S3Objects
from exporters.reading import Query, Reader
from exporters.s3_options import S3Options
from tests.integration.gating import Gate
from tests.services.proxy import HEALTHY, Fault, Proxy
from tests.services.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS

FILES = 4
ROTATE_BYTES = 8 << 20
MOST_SECONDS = 4.0  # between two kills, the start of the gate included
TICK = 0.01

NUMBER = re.compile(rb'"n":"r([0-9]{9})x"')
PLANTED = (b"canary@", b"4012888888881881", b"219-09-9999")
_RECORDS = (
    b'{"n":"r%09dx","level":"info","msg":"order shipped","took":1.10,"trace_id":"%032x",'
    b'"k8s":{"pod":"checkout-7d4b9c6f5-x2x9q","node":"ip-10-0-3-17"}}\n',
    b'{"n":"r%09dx","level":"info","user":{"id":17,"email":"canary@example.com"},"msg":"signed in from a new place",'
    b'"trace_id":"%032x"}\n',
    b'{"n":"r%09dx","level":"warn","msg":"card 4012888888881881 declined, ssn 219-09-9999 asked for","span":"%032x"}\n',
    b'{"n":"r%09dx","level":"debug","msg":"cache miss","sizes":[10482,99,7125],"digest":"%032x"}\n',
)
_SCATTER = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd: numbers become what looks like random digits
_FAULTS = (HEALTHY, HEALTHY, Fault(refuse=True), Fault(cut_after=40_000), Fault(delay=0.2), Fault(flip_at=20_000))


@dataclass(slots=True)
class Outcome:
    """What came of it. Whole if `missing`, `twice` and `leaked` are 0 and `ledger` is "holds"."""

    kills: int = 0
    written: int = 0  # records
    bytes: int = 0
    rotations: int = 0
    mb_per_s: float = 0.0  # of the writer, while it wrote
    missing: int = 0
    twice: int = 0
    leaked: int = 0
    ledger: str = "holds"
    seconds: float = 0.0

    @property
    def whole(self) -> bool:
        return not (self.missing or self.twice or self.leaked) and self.ledger == "holds"


def write(folder: Path, rate: float, size: int, rotation: str, told: Any, stop: Any) -> None:
    """Write `rate` bytes a second until there are `size`, or `stop`; tells (records, bytes, rotations, seconds)."""
    paths = [folder / f"app-{number}.log" for number in range(FILES)]
    files = [path.open("ab", buffering=0) for path in paths]
    number = written = rotations = 0
    began = time.monotonic()
    while written < size and not stop.is_set():
        due = int((time.monotonic() - began) * rate) - written
        while due > 0:
            which = rotations % FILES
            lines = [
                _RECORDS[each % len(_RECORDS)] % (each, each * _SCATTER % (1 << 128))
                for each in range(number, number + 500)
            ]
            piece = b"".join(lines)
            files[which].write(piece)
            number, written, due = number + 500, written + len(piece), due - len(piece)
            if files[which].tell() >= ROTATE_BYTES:
                away = paths[which].with_name(f"{paths[which].name}.{rotations + 1}")
                if rotation == "rename":
                    files[which].close()
                    paths[which].rename(away)
                    files[which] = paths[which].open("ab", buffering=0)
                else:
                    shutil.copyfile(paths[which], away)
                    files[which].truncate(0)
                    files[which].seek(0)
                rotations += 1
            elif number % 2000 == 0:
                files[which], files[-1] = files[-1], files[which]  # all of them grow, in turn
                paths[which], paths[-1] = paths[-1], paths[which]
        time.sleep(TICK)
    told.send((number, written, rotations, time.monotonic() - began))


def crash(
    folder: Path,
    server: SeaweedFS,
    bucket: str,
    *,
    kills: int,
    rate: float,
    size: int,
    rotation: str = "rename",
    seed: int = 0,
    progress: Progress | None = None,
) -> Outcome:
    """Run the whole thing in a folder, into a bucket that is there. `rate` in bytes a second, `size` in bytes."""
    rnd = random.Random(seed)
    outcome = Outcome()
    began = time.monotonic()
    with Proxy(server.url) as proxy:
        store = s3_store(proxy.url, bucket)
        gate = Gate(
            folder,
            exporters={"archive": store},
            spool={
                "directory": str(folder / "spool"),
                "segment_age": "1s",
                "segment_bytes": 4 << 20,
                "max_bytes": 256 << 20,
            },
            telemetry={"listen": None, "log": {"level": "info", "format": "json"}},
        )
        gate.settings["sources"]["app"]["include"] = [str(gate.inputs / "*.log*")]
        with writing(gate.inputs, rate, size, rotation) as told:
            task = progress.add_task("kills", total=kills) if progress else None
            while outcome.kills < kills:
                proxy.fault = rnd.choice(_FAULTS)
                gate.start(up=False)
                time.sleep(rnd.uniform(0.0, MOST_SECONDS))
                _kill(gate, rnd)
                outcome.kills += 1
                if progress and task is not None:
                    progress.advance(task)
        outcome.written, outcome.bytes, outcome.rotations, seconds = told.recv()
        outcome.mb_per_s = outcome.bytes / seconds / 1e6
        proxy.fault = HEALTHY
        gate.finish(patience=3600.0)
        count_stored(outcome, S3Options.model_validate({**store, "endpoint_url": server.url, "read_timeout": "60s"}))
    outcome.ledger = check_ledger(folder / "spool", outcome.written)
    outcome.seconds = time.monotonic() - began
    return outcome


@contextmanager
def s3_server(folder: Path, bucket: str) -> Iterator[SeaweedFS]:
    """An S3 server with one empty bucket; its data goes with it. Raises Unavailable."""
    folder.mkdir()
    server = SeaweedFS(folder)
    server.start()
    try:
        client = server.client()
        client.create_bucket(Bucket=bucket)
        client.close()
        yield server
    finally:
        server.wipe()


def s3_store(url: str, bucket: str) -> dict[str, Any]:
    """The configuration of an exporter to a test server's bucket."""
    return {
        "type": "s3",
        "bucket": bucket,
        "endpoint_url": url,
        "path_style": True,
        "access_key_id": ACCESS_KEY,
        "secret_access_key": SECRET_KEY,
        "read_timeout": "5s",
    }


@contextmanager
def writing(folder: Path, rate: float, size: int, rotation: str) -> Iterator[Any]:
    """A writer in a process of its own; what it tells at its end can be received behind this."""
    context = multiprocessing.get_context("spawn")
    told, tells = context.Pipe(duplex=False)
    stop = context.Event()
    writer = context.Process(target=write, args=(folder, rate, size, rotation, tells, stop))
    writer.start()
    try:
        yield told
    finally:
        stop.set()
        while not told.poll(1.0):
            if not writer.is_alive() and not told.poll():
                raise RuntimeError("the writer died")
        writer.join()


def _kill(gate: Gate, rnd: random.Random) -> None:
    """Kill the gate, now and then after one of its processes."""
    if rnd.random() < 0.3:
        victims = sorted(gate.processes().items())
        if victims:
            with suppress(ProcessLookupError):
                os.kill(rnd.choice(victims)[1], signal.SIGKILL)
            time.sleep(rnd.uniform(0.0, 0.2))
    gate.kill()


def count_stored(outcome: Outcome, options: S3Options) -> None:
    """Look at every record in the store."""
    seen = bytearray(outcome.written)
    reader = Reader(S3Objects(options), ())
    for _, block in reader.read(Query()):
        outcome.leaked += sum(block.count(planted) for planted in PLANTED)
        for found in NUMBER.findall(block):
            number = int(found)
            seen[number] = min(seen[number] + 1, 2)
    if reader.failures:
        raise RuntimeError(f"{len(reader.failures)} objects cannot be read: {reader.failures[0]}")
    outcome.missing, outcome.twice = seen.count(0), seen.count(2)


def check_ledger(spool: Path, written: int) -> str:
    ledger = Ledger.open(spool)
    try:
        balances = ledger.balance()
    finally:
        ledger.close()
    read = sum(balance.read.records for balance in balances)
    if not all(balance.holds for balance in balances):
        return "does not balance"
    return "holds" if read == written else f"says {read} records were read, not {written}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rate", type=float, default=20.0, help="MB/s that are written")
    parser.add_argument("--size", type=int, default=2048, help="MiB after which the writer stops")
    parser.add_argument("--rotation", choices=["rename", "copytruncate"], default="rename")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--directory", type=Path, help="where to put files meanwhile; a disk, not memory")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    console = Console()
    console.print(f"seed {options.seed}")
    with (
        tempfile.TemporaryDirectory(prefix="sluicegate-crash-", dir=options.directory) as name,
        s3_server(Path(name, "s3"), "crash") as server,
        Progress(console=console) as progress,
    ):
        outcome = crash(
            Path(name, "gate"),
            server,
            "crash",
            kills=options.kills,
            rate=options.rate * 1e6,
            size=options.size << 20,
            rotation=options.rotation,
            seed=options.seed,
            progress=progress,
        )
    names = ("kills", "MB/s", "records", "rotations", "missing", "twice", "leaked", "ledger", "seconds")
    table = Table(*names, title=f"{options.rotation}, seed {options.seed}")
    table.add_row(
        str(outcome.kills),
        f"{outcome.mb_per_s:.0f}",
        f"{outcome.written:,}",
        str(outcome.rotations),
        str(outcome.missing),
        str(outcome.twice),
        str(outcome.leaked),
        outcome.ledger,
        f"{outcome.seconds:.0f}",
    )
    show(table, {"seed": options.seed, **asdict(outcome)}, options.json)
    return 0 if outcome.whole else 1


if __name__ == "__main__":
    sys.exit(main())
