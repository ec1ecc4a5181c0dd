"""Bad input through the whole gate: what is clean comes back byte for byte, what is personal comes back nowhere."""

import json
from pathlib import Path

import pytest

from tests.integration.gating import PLANTED, Gate, assert_clean, body, identity

MIB = 1 << 20
DEEP = 10_000
BOM = b"\xef\xbb\xbf"

# Each with two holes: for the identity, and for something that is clean in one and personal in the other.
KINDS = {
    "invalid UTF-8": b"\xff\xfe %b \xc3( %b \xed\xa0\x80 \xf8\x88\x80",
    "NUL bytes": b"\x00\x00%b\x00 %b\x00",
    "control characters": b"\x01\x1b[31m %b\x7f %b\x0b\x0c",
    "broken JSON": b'{"n":"%b","a":[1,2,"%b',
    "more broken JSON": b'{"n":"%b"}}"msg":"%b"]',
    "two values on a line": b'{"n":"%b"}{"msg":"%b"}',
    "deep arrays": b"[" * DEEP + b'"%b %b"' + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b'"%b %b"' + b"}" * DEEP,
    "deep and unclosed": b'{"n":"%b","msg":"%b","a":' + b"[" * DEEP,
    "huge numbers": b'{"n":"%b","a":1e999999,"b":-0.0,"c":1E+2,"d":0.' + b"10" * 400 + b',"msg":"%b"}',
    "duplicate keys": b'{"n":"%b","a":1,"a":2,"":{},"":[],"msg":"%b"}',
    "CRLF": b'{"n":"%b","msg":"%b"}\r',
    "white space": b'\t {"n" : "%b" ,\t"msg":"%b"  } ',
    "lone surrogates": b'{"n":"%b","a":"\\ud800\\udc","msg":"%b"}',
    "escapes": b'{"n":"%b","a":"\\u0041\\/\\b\\f\\n","msg":"%b"}',
}
PERSONAL = (b"canary@example.com", b"4012 8888 8888 1881", b"219-09-9999")


@pytest.mark.parametrize("ending", [b"\n", b""], ids=["whole", "half-written"])
def test_all_of_it_in_one_file(gate: Gate, ending: bytes) -> None:
    clean = {b"r%06dx" % number: kind for number, kind in enumerate(KINDS.values())}
    lines = [kind % (id_, b"nothing to see") for id_, kind in clean.items()]
    for number, kind in enumerate(KINDS.values()):
        lines += [kind % (b"r%06dx" % (1000 + 10 * number + i), each) for i, each in enumerate(PERSONAL)]
    half_written = b'{"n":"r005000x","email":"canary@example.com"'
    (gate.inputs / "app.log").write_bytes(BOM + b"\n".join([*lines, half_written]) + ending)
    gate.finish()
    gate.conserved()
    found = {identity(body(line)): body(line) for line in gate.stored()}
    for id_, kind in clean.items():
        wanted = (BOM if id_ == b"r000000x" else b"") + kind % (id_, b"nothing to see")
        assert found.get(id_) == wanted, id_
    assert_nowhere(gate)


def test_a_byte_order_mark_before_json(gate: Gate) -> None:
    line = b'{"n":"r000001x","a":1}'
    (gate.inputs / "app.log").write_bytes(BOM + line + b"\r\n" + line.replace(b"1x", b"2x") + b"\r\n")
    gate.finish()
    gate.conserved()
    assert [body(stored) for stored in gate.stored()] == [BOM + line + b"\r", line.replace(b"1x", b"2x") + b"\r"]


@pytest.mark.slow
def test_a_line_of_100_mb_is_cut_into_records_and_memory_stays_bounded(gate: Gate) -> None:
    words = b"".join(b"word %d of a very long line; " % number for number in range(3_500_000))
    assert len(words) > 100e6
    plants = [len(words) // 7 * part for part in range(1, 7)]
    dirty = b"".join(
        words[start:end] + b"mail canary@example.com now; "
        for start, end in zip([0, *plants], [*plants, len(words)], strict=True)
    )
    (gate.inputs / "clean.log").write_bytes(words + b"\n")
    (gate.inputs / "dirty.log").write_bytes(dirty + b"\nr000001x and what comes behind it\n")
    gate.finish()
    assert {name: peak for name, peak in gate.peaks.items() if peak > 200 * MIB} == {}
    stored = gate.stored()
    assert_clean(stored)
    by_file: dict[str, list[bytes]] = {"clean.log": [], "dirty.log": []}
    for line in stored:
        parsed = json.loads(line)
        by_file[parsed["resource"]["log.file.name"]].append(parsed["body"].encode())
    assert b"".join(by_file["clean.log"]) == words
    wanted = dirty.replace(b"canary@example.com", b"[REDACTED:email]")
    assert b"".join(by_file["dirty.log"]) == wanted + b"r000001x and what comes behind it"
    assert gate.events("LineCut")
    assert_nowhere(gate)


def assert_nowhere(gate: Gate) -> None:
    """Not in one file of the gate's: spool with its quarantine, store, logs."""
    inputs = {*gate.inputs.iterdir()}
    for path in gate.folder.rglob("*"):
        if path.is_file() and path not in inputs:
            data = Path(path).read_bytes()
            assert not any(planted in data for planted in PLANTED), path
