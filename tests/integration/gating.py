"""A real gate as a child process of the tests: started, watched by its log and metrics, killed, its books checked.

Whatever a gate writes itself (log lines, metrics) is kept, so that every test can look for planted data in it.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client.parser import text_string_to_metric_families

from bench.pipeline import peaks, processes
from collector.spool import Ledger
from exporters.browsing import LocalObjects, ObjectStore
from exporters.chunk import decode, read_chunks
from exporters.keys import Key, load_keys
from exporters.reading import Query, Reader

COMMAND = Path(sys.executable).with_name("sluicegate")
PATIENCE = 120.0  # seconds; a safety net for a busy machine, no measure of anything
TICK = 0.02

ID = re.compile(rb"\br\d{6}x\b")
"""What each record carries, so that it is known again whatever becomes of the rest of it."""

PLANTED = (b"canary", b"4012888888881881", b"4012 8888 8888 1881", b"219-09-9999", b"415 555 2671", b"81.2.69.142")
"""Personal data in the records below; none of it may be seen anywhere but in the input and in quarantine."""

T = TypeVar("T")


def record(number: int) -> bytes:
    """A record without its line end: every third one clean, JSON, logfmt and text in turn."""
    id_ = b"r%06dx" % number
    kinds = (
        b'{"n":"%b","msg":"order shipped","took":1.10}',
        b'{"n":"%b","user":{"id":17,"email":"canary@example.com"},"msg":"paid with 4012 8888 8888 1881"}',
        b"level=info n=%b email=canary@example.com took=12ms",
        b"2026-11-24 12:00:00 cache miss for %b, loading from store",
        b'{"a":[{"deep":{"ssn":"219-09-9999","n":"%b"}}],"peer":"81.2.69.142"}',
        b"%b: call +1 415 555 2671 or mail canary@example.com, card 4012888888881881",
    )
    return kinds[number % len(kinds)] % id_


def records(start: int, count: int) -> bytes:
    return b"".join(record(number) + b"\n" for number in range(start, start + count))


class Ended(AssertionError):
    """The gate ended while something was still waited for."""


class Gate:
    """One configuration in one folder, and the processes that run it, one after another.

    `parts` replace top-level parts of the configuration. `under` is put before the command.
    """

    def __init__(self, folder: Path, *, under: Iterable[str] = (), **parts: Any) -> None:
        self.folder = folder
        self.inputs = folder / "in"
        self.store = folder / "store"
        self.policy = folder / "policy.yaml"
        self.inputs.mkdir(parents=True, exist_ok=True)
        self.settings: dict[str, Any] = {
            "node": "node-1",
            "workers": 2,
            "sources": {"app": self.source()},
            "spool": {"directory": str(folder / "spool"), "segment_age": "1s"},
            "exporters": {"store": {"type": "local", "path": str(self.store)}},
            "telemetry": {"listen": "127.0.0.1:0", "log": {"level": "debug", "format": "json"}},
            **parts,
        }
        self.told: list[str] = []  # every metrics page that was asked for
        self.peaks: dict[str, int] = {}  # the most memory each process had, in bytes
        self._under = tuple(under)
        self._process: subprocess.Popen[bytes] | None = None
        self._runs = 0

    def source(self, **options: Any) -> dict[str, Any]:
        return {"type": "file", "include": [str(self.inputs / "*.log")], "poll_interval": "100ms", **options}

    # Running ---------------------------------------------------------------------------------------------------------

    def start(self, *arguments: str, up: bool = True) -> None:
        """Start it; with `up`, wait until all its processes work."""
        self._runs += 1
        config = self.folder / "gate.yaml"
        config.write_text(json.dumps(self.settings))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._under, COMMAND, "run", "--config", config, *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "SLUICEGATE_HOME": str(self.folder / "home")},
            )
        if up:
            self.event("GateStarted")

    @property
    def log(self) -> Path:
        """The log of the last run."""
        return self.folder / f"log-{self._runs}"

    def code(self, patience: float = PATIENCE) -> int:
        """Wait for its end: the exit code."""
        process = self._running()
        deadline = time.monotonic() + patience
        while (code := process.poll()) is None:
            assert time.monotonic() < deadline, f"the gate does not end\n{self.tail()}"
            for name, peak in peaks(process.pid):
                self.peaks[name] = max(peak, self.peaks.get(name, 0))
            time.sleep(TICK)
        self._process = None
        return code

    def signal(self, number: int, name: str | None = None) -> None:
        """Signal the gate, or one of its processes."""
        os.kill(self.pid(name) if name else self._running().pid, number)

    def kill(self) -> None:
        """As a crash would; if it runs."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self.code()

    def stop(self) -> int:
        """Drain: the exit code."""
        self.signal(signal.SIGTERM)
        return self.code()

    def finish(self, patience: float = PATIENCE) -> None:
        """Take in, ship and end: what the inputs hold is in the store then."""
        self.start("--once", up=False)
        assert self.code(patience) == 0, self.tail()

    def pid(self, name: str) -> int:
        """Wait for a process of the gate by its name."""
        return self.until(lambda: self.processes().get(name), f"process {name}")

    def processes(self) -> dict[str, int]:
        """Those that live, by name."""
        return {name: int(folder.name) for name, folder in processes(self._running().pid) if name != "gate"}

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "the gate was not started"
        return self._process

    # Watching --------------------------------------------------------------------------------------------------------

    def until(self, condition: Callable[[], T | None], what: str) -> T:
        """Wait until a condition holds while the gate runs: what it gave."""
        process = self._running()
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) and not (found := condition()):
                raise Ended(f"the gate ended; waited for: {what}\n{self.tail()}")
            if found:
                break
            assert time.monotonic() < deadline, f"waited in vain for: {what}\n{self.tail()}"
            time.sleep(TICK)
        return found

    def lines(self) -> list[dict[str, Any]]:
        """The log of the last run, whole lines of it."""
        return [json.loads(line) for line in self.log.read_bytes().split(b"\n")[:-1] if line.startswith(b"{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The attributes of the events of this kind, so far."""
        return [line.get("attributes", {}) for line in self.lines() if line["event"] == name]

    def event(self, name: str, count: int = 1) -> dict[str, Any]:
        """Wait until there are so many of a kind: the attributes of the last."""
        return self.until(lambda: self.events(name) if len(self.events(name)) >= count else None, f"event {name}")[-1]

    def get(self, path: str) -> tuple[int, str]:
        """What the gate answers over HTTP: status and body."""
        address = self.event("GateStarted")["telemetry"]
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """A metric's value, summed over the labels that are not given."""
        status, page = self.get("/metrics")
        assert status == 200
        self.told.append(page)
        samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def reaches(self, value: float, name: str, **labels: str) -> None:
        """Wait until a metric is at least so much."""
        self.until(lambda: self.metric(name, **labels) >= value, f"{name}{labels} >= {value}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    # Its books -------------------------------------------------------------------------------------------------------

    def stored(self, store: ObjectStore | None = None, keys: Iterable[Key] | None = None) -> list[bytes]:
        """All records in the store, each as its stored line; everything must verify."""
        if store is None and not self.store.is_dir():
            return []
        if keys is None:
            keys = load_keys(self.folder / "store.key")
        reader = Reader(store or LocalObjects(self.store), tuple(keys))
        blocks = [block for _, block in reader.read(Query())]
        assert reader.failures == []
        return lines_of(b"".join(blocks))

    def pending(self) -> list[bytes]:
        """All records that wait in the spool, by what the ledger says is committed."""
        spool = self.folder / "spool"
        ledger = Ledger.open(spool)
        try:
            rows = ledger.read("SELECT file, bytes FROM segment WHERE bytes > 0")
        finally:
            ledger.close()
        found = []
        for name, size in rows:
            with (spool / "segments" / name).open("rb") as file:
                for header, frame in read_chunks(file):
                    found += lines_of(decode(header, frame))
                    if file.tell() >= size:
                        break
        return found

    def quarantined(self) -> list[bytes]:
        """All records in quarantine, as a person would look at them."""
        listed = self.command("quarantine", "list").splitlines()[1:]
        return [self.command("quarantine", "show", line.split(None, 1)[0].decode()) for line in listed]

    def command(self, *arguments: str, config: bool = True) -> bytes:
        named = ["--config", str(self.folder / "gate.yaml")] if config else []
        return subprocess.run([COMMAND, *arguments, *named], capture_output=True, check=True).stdout

    def conserved(self, stored: list[bytes] | None = None) -> None:
        """Each record of the inputs is in exactly one place, once, and the ledger tells the same story.

        To be asked while the gate does not run.
        """
        assert self._process is None
        lines = [line for path in sorted(self.inputs.iterdir()) for line in lines_of(path.read_bytes())]
        stored = self.stored() if stored is None else stored
        pending, quarantined = self.pending(), self.quarantined()
        bodies = list(map(body, [*stored, *pending]))
        found = Counter(map(identity, [*bodies, *quarantined]))
        wanted = Counter(map(identity, lines))
        missing, more = wanted - found, found - wanted
        assert not missing, f"{missing.total()} of {len(lines)} are missing: {sorted(missing)[:10]}"
        assert not more, f"{more.total()} too many: {sorted(more)[:10]}"
        assert_clean([*stored, *pending, *bodies])
        ledger = Ledger.open(self.folder / "spool")
        try:
            balances = ledger.balance()
        finally:
            ledger.close()
        assert all(balance.holds for balance in balances), balances
        assert sum(balance.read.records for balance in balances) == len(lines)
        assert sum(balance.delivered.records for balance in balances) == len(stored)
        assert sum(balance.pending.records for balance in balances) == len(pending)

    def silent(self) -> None:
        """Nothing that was planted stands in anything the gate itself wrote."""
        assert_clean([path.read_bytes() for path in self.folder.glob("log-*")])
        assert_clean([page.encode() for page in self.told])


def body(stored: bytes) -> bytes:
    """The body of a stored record, as it came in."""
    json.loads(stored)  # whatever came in, what is stored can be read
    for name in (b',"body_base64":', b',"body":'):
        _, found, rest = stored.partition(name)
        if found:
            break
    raw = rest.removesuffix(b"}\n")
    if "base64" in name.decode():
        return b64decode(json.loads(raw))
    return json.loads(raw).encode() if raw.startswith(b'"') else raw


def lines_of(data: bytes) -> list[bytes]:
    r"""Lines with their ends, which are `\n` alone: bytes' own `splitlines` would end them at `\r` too."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def identity(line: bytes) -> bytes:
    """Which record a line is."""
    found = ID.findall(line)
    assert len(found) == 1, f"{len(found)} identities in {line[:200]!r}"
    return found[0]


def assert_clean(texts: Iterable[bytes]) -> None:
    """Nothing that was planted is in there; says what, and where, but for the thing itself."""
    for text in texts:
        for planted in PLANTED:
            assert planted not in text, f"{planted!r} in {text[max(0, text.find(planted) - 200) :][:400]!r}"


class Writer:
    """Appends numbered records to files of its own, with flushes that do not care for line ends."""

    def __init__(self, folder: Path, files: int = 3) -> None:
        self._files = [(folder / f"app-{number}.log").open("ab", buffering=0) for number in range(files)]
        self.written = 0

    def write(self, count: int) -> None:
        """Append so many records, in turn, in pieces."""
        for number in range(self.written, self.written + count):
            file, line = self._files[number % len(self._files)], record(number) + b"\n"
            middle = number % len(line)
            file.write(line[:middle])
            file.write(line[middle:])
        self.written += count

    def close(self) -> None:
        for file in self._files:
            file.close()


def told_once(events: list[Mapping[str, Any]], **attributes: Any) -> bool:
    """Whether exactly one of the events has these attributes."""
    return sum(attributes.items() <= event.items() for event in events) == 1
