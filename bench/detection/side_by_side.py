"""The engine and presidio-analyzer on the same records."""

import json
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from scrubbers import Scrubber
from tests.corpus import services
from tests.corpus.cases import case, cells, twin
from tests.corpus.draw import Draw
from tests.corpus.kinds import BY_SHAPE
from tests.corpus.matrix import scrubbed
from tests.corpus.reading import leaked

NEAR = 1000  # near misses of a detector
# Columns of the wide tables: encodings that are undone by the same code.
GROUPS = {
    "as it is": ("as it is", "key spelling"),
    "JSON escapes": ("key, JSON escapes", "JSON escapes, some", "JSON escapes, all", "JSON surrogate pairs"),
    "percent": ("percent", "percent, some", "percent, twice", "plus for space"),
    "HTML": ("HTML, usual", "HTML, some"),
    "base64": ("base64", "base64url"),
    "full width": ("full-width digits", "full-width @", "full-width, all"),
    "zero width": ("zero-width",),
    "beyond ASCII": ("IDN", "non-ASCII local part", "combining marks"),
}
PEER = {
    "email": "EMAIL_ADDRESS", "payment_card": "CREDIT_CARD", "us_ssn": "US_SSN", "iban": "IBAN_CODE",
    "phone": "PHONE_NUMBER", "phone (NANP)": "PHONE_NUMBER", "ipv4": "IP_ADDRESS", "ipv6": "IP_ADDRESS",
}  # fmt: skip


@dataclass(slots=True)
class Side:
    """One of the two, on the same records."""

    gone: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    false_in_logs: int = 0


@dataclass(slots=True)
class Peer:
    """Side by side with presidio-analyzer."""

    version: str
    planted: Counter[str]
    near: Counter[str]
    encoded: dict[str, Counter[str]]  # encoding group → of presidio's and ours: planted, gone
    size: int  # bytes of all records
    log_lines: int
    ours: Side
    theirs: Side


def side_by_side(scrubber: Scrubber, python: str, draw: Draw) -> Peer:
    """The kinds that both know, in every notation and encoding; near misses; and lines of real logs."""
    known = (cell for cell in cells() if cell.kind.name in PEER)
    own = [cell for cell in known if cell.encoding.name == "as it is" or draw.rnd.random() < 0.25]
    cases = [each for cell in own if (each := case(cell, draw)) is not None]
    near = [(kind, record) for kind, records in near_misses(draw).items() if kind in PEER for record in records[:300]]
    logs = [line for name in services.SERVICES for line in draw.rnd.sample(services.log(name).splitlines(), 900)]
    records = [*(each.record for each in cases), *(record for _, record in near), *logs]
    found, seconds = _presidio(python, records)
    theirs, ours = Side(seconds=seconds), Side()
    block = b"".join(record.replace(b"\n", b" ") + b"\n" for record in records)
    start = time.process_time()
    scrubber.scrub(block)
    ours.seconds = time.process_time() - start
    after = scrubbed(scrubber, records)
    peer = Peer(
        _presidio_version(python), Counter(each.cell.kind.name for each in cases), Counter(kind for kind, _ in near),
        defaultdict(Counter), len(block), len(logs), ours, theirs,
    )  # fmt: skip
    groups = {name: group for group, names in GROUPS.items() for name in names}
    for number, each in enumerate(cases):
        kind, encoded = each.cell.kind.name, peer.encoded[groups[each.cell.encoding.name]]
        encoded["planted"] += 1
        for side, name, output in (
            (ours, "ours", after[number]),
            (theirs, "theirs", _without(each.record, found[number])),
        ):
            if output is None or not leaked(each.value, output):
                encoded[name] += 1
                if each.cell.encoding.name == "as it is":
                    side.gone[kind] += 1
    peer.planted = Counter(each.cell.kind.name for each in cases if each.cell.encoding.name == "as it is")
    for number, (kind, record) in enumerate(near, len(cases)):
        ours.wrong[kind] += after[number] != record
        theirs.wrong[kind] += bool(found[number])
    first = len(cases) + len(near)
    theirs.false_in_logs = sum(
        sum(entity != "IP_ADDRESS" and "example.org" not in record.decode()[start:end] for start, end, entity in spans)
        for record, spans in zip(logs, found[first:], strict=True)
    )
    for line in logs:
        judged = (row.judged for row in services.found_in(scrubber, "", line) if row.rule not in services.ADDRESSES)
        ours.false_in_logs += sum(row is None or not row.right for row in judged)
    return peer


Span: TypeAlias = tuple[int, int, str]


def _presidio(python: str, records: Iterable[bytes]) -> tuple[list[list[Span]], float]:
    """What presidio finds in each record, and the CPU seconds it took."""
    texts = "".join(json.dumps(record.decode("utf-8", "replace")) + "\n" for record in records)
    command = [python, str(Path(__file__).with_name("presidio.py"))]
    answer = subprocess.run(command, input=texts, stdout=subprocess.PIPE, text=True, check=True)
    *found, seconds = map(json.loads, answer.stdout.splitlines())
    return found, seconds


def _presidio_version(python: str) -> str:
    ask = "from importlib.metadata import version; print(version('presidio-analyzer'))"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def _without(record: bytes, spans: Iterable[Span]) -> bytes:
    text = record.decode("utf-8", "replace")
    for start, end, entity in sorted(spans, reverse=True):
        text = text[:start] + f"[REDACTED:{entity}]" + text[end:]
    return text.encode()


def near_misses(draw: Draw) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for kind in BY_SHAPE:
        if kind.near is not None:
            cell = next(each for each in cells() if each.kind is kind and each.notation.name == "prose")
            made = (twin(cell, draw, kind.near(draw)) for _ in range(NEAR))
            found[kind.name] = [each.record for each in made if each is not None]
    return found
