"""The main job in one go (`make run`): a careless shop, real traffic, the gate over its log and its spans, and proof.

    python -m examples.demo [--serve] [--folder FOLDER]

Everything is written into one folder, `.run/` of the checkout, made afresh. Ends with 1 when a planted value survived.
"""

import argparse
import asyncio
import glob
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from examples.shop import config, traffic
from examples.shop.people import people
from examples.shop.planted import Planted, found, save
from examples.shop.process import CHECKOUT, Shop

VISITORS = 12
WIDTH = 480  # bytes of a line that is shown, at most
LISTEN = 9464  # the port of metrics, when it is free
_COMMAND = Path(sys.executable).with_name("sluicegate")

GATE = """\
# What `make run SERVE=1` runs: the shop's log and spans into small sealed objects, the newest a few seconds old.
sources:
  shop:
    type: file
    include: [{log}]
  spans:
    type: otlp
    grpc:
      listen: {otlp}
    http: null

exporters:
  local:
    type: local
    path: {store}

spool:
  directory: {spool}
  segment_age: 5s

telemetry:
  listen: {telemetry}
"""


# What `make run` receives the shop's spans with, into the store and the spool of the embedded default.
RECEIVER = """\
workers: 1
sources:
  spans:
    type: otlp
    grpc:
      listen: {otlp}
    http: null

exporters:
  local:
    type: local
    path: {store}

spool:
  directory: {spool}

telemetry:
  listen: {telemetry}
  log:
    level: warning
"""


@dataclass(slots=True, frozen=True)
class Folder:
    """Where everything is."""

    root: Path

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def home(self) -> Path:
        """The gate's: spool and keys."""
        return self.root / "home"

    @property
    def patterns(self) -> Path:
        """The planted values as `grep -F -f` takes them."""
        return self.root / "planted.txt"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"SLUICEGATE_HOME": str(self.home)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--serve", action="store_true", help="keep shop, traffic and gate running until Ctrl-C")
    parser.add_argument("--folder", type=Path, default=CHECKOUT / ".run", help="emptied first; default: .run")
    options = parser.parse_args()
    folder = Folder(options.folder.absolute())
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    shutil.rmtree(folder.root, ignore_errors=True)
    folder.root.mkdir(mode=0o700)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        return serve(console, folder) if options.serve else play(console, folder)
    except KeyboardInterrupt:
        return 130


def play(console: Console, folder: Folder) -> int:
    """One round: shop, traffic, gate, summary, proof."""
    seed = time.time_ns() % 2**32
    made = config.make(seed)
    _title(console, "shop", f"{VISITORS} made-up people sign up, log in, search, buy and get money back (seed {seed})")
    with _receiving(folder) as otlp, Shop(folder.root, made, otlp=otlp) as shop:
        planted = [*asyncio.run(traffic.play(shop.url, people(seed, VISITORS), seed=seed)), *made.planted]
    save(planted, folder.root / "planted.json")
    _save_patterns(planted, folder.patterns)
    before = shop.log.read_bytes()
    _title(console, "gate", f"over {_shown(shop.log)}, with the embedded default\n")
    gate = [str(_COMMAND), "run", "--once", "--store", str(folder.store), glob.escape(str(shop.log))]
    if code := subprocess.run(gate, env=folder.environment, check=False).returncode:
        console.print(f"the gate ended with code {code}", style="red")
        return code
    records, spans = _read(folder, "logs"), _read(folder, "traces")
    told = spans_before(shop.spans.read_bytes())
    _title(console, "gate", f"over OTLP: {len(spans_after(spans))} of the shop's {len(told)} spans received and stored")
    _show(console, pairs(before, records), span_pairs(told, spans_after(spans)), planted)
    code = _prove(console, folder, (before, shop.spans.read_bytes()), records + spans, planted)
    _title(console, "try it", "from this folder")
    for about, command in commands(folder):
        console.print(f"  # {about}", style="dim")
        console.print(f"  {command}")
    return code


@contextmanager
def _receiving(folder: Folder) -> Iterator[str]:
    """A gate that receives spans meanwhile, and where; it has stored them when it ends. Raises RuntimeError."""
    otlp, telemetry = _free_address(), _free_address()
    file = folder.root / "receiver.yaml"
    file.write_text(_filled(RECEIVER, folder, otlp=otlp, telemetry=telemetry))
    # In a session of its own: Ctrl-C at the terminal is for us, and the gate gets one signal to drain, not two.
    gate = subprocess.Popen([_COMMAND, "run", "--config", file], env=folder.environment, start_new_session=True)
    try:
        while not _ready(telemetry):
            if gate.poll() is not None:
                raise RuntimeError(f"the gate did not start: it ended with code {gate.returncode}")
            time.sleep(0.05)
        yield otlp
    finally:
        if gate.poll() is None:
            gate.terminate()
        code = gate.wait()
    if code:
        raise RuntimeError(f"the gate ended with code {code}")


def _ready(telemetry: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{telemetry}/readyz", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _read(folder: Folder, signal: str) -> bytes:
    command: list[str | Path] = [_COMMAND, "read", folder.store, "--signal", signal]
    return subprocess.run(command, env=folder.environment, capture_output=True, check=True).stdout


def commands(folder: Folder) -> list[tuple[str, str]]:
    """What a person may want to run afterwards, ready to be copied: (what for, command)."""
    sluicegate, store, log, planted, home = map(
        _shown, (_COMMAND, folder.store, folder.root / "shop.log", folder.patterns, folder.home)
    )
    return [
        ("the objects", f"{sluicegate} read {store} --list"),
        ("the records in them, one JSON object a line", f"{sluicegate} read {store} | head -5"),
        ("lines of the log with a planted value in them", f"grep -c -i -F -f {planted} {log}"),
        ("and of the stored records: 0", f"{sluicegate} read {store} | grep -c -i -F -f {planted}"),
        (
            "files of store and spool with a planted value in them: none",
            f"grep -r -l -i -F -f {planted} {store} {home}",
        ),
    ]


def serve(console: Console, folder: Folder) -> int:
    """Shop, traffic and gate, until Ctrl-C or SIGTERM; the gate then drains."""
    made = config.make(time.time_ns() % 2**32)
    port, otlp = _free_port(), _free_address()
    file = folder.root / "gate.yaml"
    log = folder.root / "shop.log"
    file.write_text(_filled(GATE, folder, log=glob.escape(str(log)), telemetry=f"127.0.0.1:{port}", otlp=otlp))
    # In a session of its own: Ctrl-C at the terminal is for us, and the gate gets one signal to drain, not two.
    gate = subprocess.Popen([_COMMAND, "run", "--config", file], env=folder.environment, start_new_session=True)
    try:
        with Shop(folder.root, made, otlp=otlp) as shop:
            _title(console, "shop", f"{shop.url}, visited by made-up people until Ctrl-C")
            _title(console, "gate", f"http://127.0.0.1:{port}/metrics; runs with {_shown(file)}")
            _title(console, "read", f"{commands(folder)[1][1]}\n")
            while gate.poll() is None and not _ready(f"127.0.0.1:{port}"):
                time.sleep(0.05)
            told = asyncio.run(_keep_visiting(shop.url, gate))
    finally:
        if gate.poll() is None:
            gate.terminate()
        code = gate.wait()
    if not told:
        console.print(f"the gate ended by itself with code {code}", style="red")
        return code or 1
    _title(console, "ended", "what was read is sealed and stored" if code == 0 else f"the gate with code {code}")
    return code


async def _keep_visiting(url: str, gate: "subprocess.Popen[bytes]") -> bool:
    """Send people into the shop until a signal says to stop (True), or the gate has ended (False)."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    visits = asyncio.create_task(_visit(url, gate))
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({visits, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in (visits, waiting):
        task.cancel()
    ended, _ = await asyncio.gather(visits, waiting, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended
    return told.is_set()


async def _visit(url: str, gate: "subprocess.Popen[bytes]") -> None:
    while gate.poll() is None:
        seed = time.time_ns() % 2**32
        await traffic.play(url, people(seed, 2), seed=seed)
        await asyncio.sleep(1)


def _filled(template: str, folder: Folder, **texts: str) -> str:
    """A JSON string is a YAML string, whatever the checkout's folder is called."""
    quoted = {"store": str(folder.store), "spool": str(folder.home / "spool"), **texts}
    return template.format(**{name: json.dumps(value) for name, value in quoted.items()})


@dataclass(slots=True, frozen=True)
class Pair:
    """A line as it went in, and what came out of it."""

    before: bytes
    after: bytes


class _Stored(msgspec.Struct):
    body: msgspec.Raw  # verbatim: what is not personal is seen to be as it was


_TIME = re.compile(rb"\b[0-9]{19}\b")  # the shop writes each line's own time in nanoseconds, and it is not personal


def pairs(before: bytes, stored: bytes) -> Iterator[Pair]:
    """The lines that went in with the records they became, by the time in both of them; others are left out.

    Not by their order: a record in quarantine is missing in what is stored.
    """
    went_in = _by_time(before.splitlines())
    came_out = _by_time(map(_body, stored.splitlines()))
    return (Pair(line, came_out[time]) for time, line in went_in.items() if time in came_out)


def _by_time(lines: Iterable[bytes]) -> dict[bytes, bytes]:
    timed = [(time[0], line) for line in lines if (time := _TIME.search(line))]
    seen = Counter(time for time, _ in timed)
    return {time: line for time, line in timed if seen[time] == 1}


def _body(record: bytes) -> bytes:
    body = bytes(msgspec.json.decode(record, type=_Stored).body)
    return msgspec.json.decode(body, type=str).encode() if body.startswith(b'"') else body


def spans_before(told: bytes) -> dict[str, bytes]:
    """The shop's spans by their ids, as it wrote them down itself: name and attributes."""
    spans = map(json.loads, told.splitlines())
    return {span["context"]["span_id"].removeprefix("0x"): _span(span["name"], span["attributes"]) for span in spans}


def spans_after(stored: bytes) -> dict[str, bytes]:
    """The spans in lines of OTLP/JSON."""
    return {
        span["spanId"]: _span(span["name"], {each["key"]: _value(each["value"]) for each in span.get("attributes", ())})
        for request in map(json.loads, stored.splitlines())
        for group in request["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    }


def span_pairs(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[Pair]:
    return (Pair(before[id_], after[id_]) for id_ in before.keys() & after.keys())


def _span(name: str, attributes: Mapping[str, object]) -> bytes:
    return f"span {name} {json.dumps(attributes)}".encode()


def _value(value: Mapping[str, Any]) -> object:
    kind, content = next(iter(value.items()))
    return int(content) if kind == "intValue" else content


def _show(console: Console, paired: Iterable[Pair], of_spans: Iterable[Pair], planted: Sequence[Planted]) -> None:
    """A line of each notation, and a span, before and after: the one with the most kinds of planted values in it."""
    best: dict[str, tuple[int, Pair]] = {}
    for pair in (*paired, *of_spans):
        kinds = len({one.kind for one in found(planted, pair.before.decode(errors="replace"))})
        notation = _notation(pair.before)
        if len(pair.before) < WIDTH and kinds > best.get(notation, (0, None))[0]:
            best[notation] = (kinds, pair)
    _title(console, f"\n{len(best) - 1} lines and a span, before and after", "(the people are made up)")
    for _, pair in best.values():
        console.print(Text.assemble(("  − ", "red"), pair.before.decode(errors="replace")))
        console.print(Text.assemble(("  + ", "green"), pair.after.decode(errors="replace"), "\n"))


def _notation(line: bytes) -> str:
    if line.startswith((b"span ", b"{")):
        return "span" if line.startswith(b"span ") else "json"
    return "logfmt" if b" lib=" in line else "access"


def _prove(
    console: Console, folder: Folder, before: tuple[bytes, bytes], stored: bytes, planted: Sequence[Planted]
) -> int:
    """Search for every planted value in what can be read back, and in every file of store and spool as it is.

    `before`: the log and the spans.
    """
    went_in, in_spans = (found(planted, each.decode(errors="replace")) for each in before)
    survived = found(planted, stored.decode(errors="replace"))
    files = [path for place in (folder.store, folder.home) for path in sorted(place.rglob("*")) if path.is_file()]
    raw = b"\n".join(path.read_bytes() for path in files)
    survived += found(planted, raw.decode("latin-1"))
    counts = f"{len(went_in)} planted values in the log, {len(in_spans)} in the spans, {len(survived)} in the store"
    _title(console, "proof", f"{counts}\n")
    for one in survived:
        console.print(f"  survived: a value of kind {one.kind}", style="red")
    return 0 if went_in and in_spans and not survived else 1


def _save_patterns(planted: Sequence[Planted], path: Path) -> None:
    """The values as `grep -F -f` wants them, readable by the owner alone from the first byte."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{value}\n" for value in sorted({one.value for one in planted}))


def _title(console: Console, what: str, more: str) -> None:
    console.print(Text.assemble((what, "bold"), f"  {more}"))


def _shown(path: Path) -> str:
    """As a person in this folder types it."""
    return shlex.quote(os.path.relpath(path))


def _free_address() -> str:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _free_port() -> int:
    for port in (LISTEN, 0):
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError("no port is free")


if __name__ == "__main__":
    sys.exit(main())
