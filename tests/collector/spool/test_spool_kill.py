"""kill -9, over and over: every record is stored once, and in each destination once."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest
from spooling import (
    INPUT_BYTES,
    Record,
    append,
    deliveries,
    open_spool,
    position_of,
    prepare,
    read_segment,
    spooled,
)
from streamer import ToFile

from collector.shipper import Shipper
from collector.spool import Deliveries, Ledger

HERE = Path(__file__).parent


class Writer:
    """A worker's process and what it has said."""

    def __init__(self, directory: Path, worker: int, seed: int) -> None:
        command = [sys.executable, HERE / "writer.py", directory, str(worker), str(seed)]
        self.key = f"file-{worker}"
        self.process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said = 0

    def listen(self, commits: int) -> None:
        assert self.process.stdout
        for _ in range(commits):
            line = self.process.stdout.readline()
            if not line:
                _, error = self.process.communicate()
                pytest.fail(error.decode())
            self.said = int(line)

    def kill(self) -> None:
        """Wherever it is now; then hear what else it had said."""
        self.process.kill()
        said, error = self.process.communicate()
        assert error == b""
        complete = said[: said.rfind(b"\n") + 1].split()
        self.said = int(complete[-1]) if complete else self.said


def ship(directory: Path, objects: dict[str, list[Record]], chance: random.Random) -> None:
    """Send what is sealed; the shipper too dies at any moment, here: before it has said that a segment arrived."""
    with deliveries(directory) as shipper:
        for segment in shipper.sealed("store"):
            objects[segment.name] = read_segment(segment)
            if chance.random() < 0.2:
                return
            shipper.delivered(segment, "store", segment.bytes)


def positions(directory: Path, workers: int) -> dict[str, int]:
    spool = open_spool(directory, 0)
    try:
        return {key: position_of(spool, key) for key in (f"file-{worker}" for worker in range(workers))}
    finally:
        spool.close()


def test_nothing_is_lost_or_stored_twice_however_often_workers_are_killed(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    chance = random.Random(1)
    objects: dict[str, list[Record]] = {}
    for round_ in range(10):
        with prepare(directory):
            writers = [Writer(directory, worker, chance.randrange(1000)) for worker in range(2)]
            for writer in writers:
                writer.listen(chance.randint(1, 12))
            ship(directory, objects, chance)
            for writer in writers:
                writer.kill()
        with prepare(directory) as found:
            assert found.damaged == []
            following = positions(directory, 2)
            for writer in writers:
                assert following[writer.key] >= writer.said, f"round {round_}"
    with prepare(directory):
        ship(directory, objects, random.Random(0))
        names = list(objects)
        with deliveries(directory) as shipper:
            for segment in shipper.sealed("store", limit=10_000):
                objects[segment.name] = read_segment(segment)
                shipper.delivered(segment, "store", segment.bytes)
    assert len(names) > 20
    assert spooled(directory) == []
    stored = Counter(record for records in objects.values() for record in records)
    assert stored == Counter((key, number) for key, last in following.items() for number in range(last))

    ledger = Ledger.open(directory)
    (balance,) = ledger.balance()
    ledger.close()
    assert balance.holds
    assert balance.delivered.records == stored.total()
    assert balance.delivered.bytes == stored.total() * INPUT_BYTES
    assert not list((directory / "segments").iterdir())


def test_even_without_the_ledger_what_the_spool_holds_is_there_once(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    chance = random.Random(2)
    for _ in range(5):
        with prepare(directory):
            writer = Writer(directory, 0, chance.randrange(1000))
            writer.listen(chance.randint(2, 12))  # the first thing it says is where it begins
            writer.kill()
        for path in directory.glob("ledger.sqlite*"):
            path.unlink()
        with prepare(directory) as found:
            assert found.rebuilt == "lost"
            assert found.damaged == []
            following = positions(directory, 1)["file-0"]
            assert following >= writer.said
            assert Counter(spooled(directory)) == Counter(("file-0", number) for number in range(following))


def test_a_stream_gets_every_record_however_often_the_shipping_process_is_killed(tmp_path: Path) -> None:
    directory, arrivals = tmp_path / "spool", tmp_path / "arrivals"
    chance = random.Random(3)
    deaths = 8
    for _ in range(deaths):
        with prepare(directory, ["store", "stream"]):
            writer = Writer(directory, 0, chance.randrange(1000))
            command = [sys.executable, HERE / "streamer.py", directory, arrivals]
            streamer = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE)
            assert streamer.stdout
            assert streamer.stdout.readline() == b"ready\n"
            writer.listen(chance.randint(2, 12))
            for process in chance.sample([writer.process, streamer], 2):
                process.kill()
            streamer.communicate()
            writer.kill()
    with prepare(directory, ["store", "stream"]):
        following = positions(directory, 1)["file-0"]
        with deliveries(directory) as shipper:
            for segment in shipper.sealed("store", limit=10_000):
                shipper.delivered(segment, "store", segment.bytes)
        asyncio.run(drain(directory, arrivals))
        assert not list((directory / "segments").iterdir())
    arrived = [orjson.loads(line) for line in arrivals.read_bytes().splitlines()]
    counted = Counter(record["number"] for record in arrived)
    assert counted.keys() == set(range(following))
    assert max(counted.values()) <= 1 + deaths
    repeated = counted.total() - len(counted)
    assert repeated <= deaths * 200, "at most one group each time"  # 2,000 bytes, or one chunk
    ledger = Ledger.open(directory)
    try:
        assert all(balance.holds for balance in ledger.balance())
        assert {balance.delivered.records for balance in ledger.balance()} == {following_and_dropped(ledger)}
    finally:
        ledger.close()


async def drain(directory: Path, arrivals: Path) -> None:
    shipments = Deliveries.open(directory)
    shipper = Shipper(shipments, [ToFile(arrivals)], poll=0.01)
    running = asyncio.create_task(shipper.run())
    await shipper.drain()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    shipper.close()
    shipments.close()


def following_and_dropped(ledger: Ledger) -> int:
    """Records that were read and not dropped."""
    rows = ledger.read("SELECT outcome, sum(records) FROM count WHERE destination = '' GROUP BY outcome")
    amounts = {str(outcome): int(records) for outcome, records in rows}
    return amounts["read"] - amounts.get("dropped", 0)


SHARED = """
import sys
from pathlib import Path
from spooling import append, open_spool
worker = int(sys.argv[2])
spool = open_spool(Path(sys.argv[1]), worker)
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    append(spool, f"key-{worker}", [number])
    spool.commit()
spool.close()
"""


def test_several_workers_and_the_shipper_share_the_ledger(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    with prepare(directory):
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", SHARED, directory, str(worker)],
                cwd=HERE,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for worker in range(4)
        ]
        for worker in workers:
            assert worker.stdout
            assert worker.stdout.readline() == "ready\n"
        spool = open_spool(directory, 4)
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("go\n")
            worker.stdin.flush()
        objects: dict[str, list[Record]] = {}
        for number in range(50):
            append(spool, "own", [number])
            spool.commit()
            ship(directory, objects, random.Random(0))
        spool.close()
        for worker in workers:
            assert worker.communicate() == ("", "")
            assert worker.returncode == 0
        records = spooled(directory) + [record for found in objects.values() for record in found]
        assert Counter(records) == Counter(
            [("own", number) for number in range(50)] + [(f"key-{w}", n) for w in range(4) for n in range(100)]
        )
