"""The retention class follows from signal, origin and level; splitting a batch by it loses nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.batch import Origin
from collector.config import RetentionOptions
from collector.levels import Level, level_of
from collector.routing import Routes
from exporters.chunk import ChunkHeader
from exporters.signals import Signal

NOON = 1_795_521_600_000_000_000  # ns


def routes(*rules: dict[str, Any]) -> Routes:
    return Routes(RetentionOptions.model_validate({"route": rules}))


def header(records: int, size: int, form: str = "lines") -> ChunkHeader:
    return ChunkHeader(
        signal="logs",
        format=form,  # type: ignore[arg-type]
        source="app",
        records=records,
        first_time=NOON,
        last_time=NOON,
        policy="p",
        input_bytes=size,
    )


def stored(body: object, **others: object) -> bytes:
    return json.dumps({"time": "2026-11-24T12:00:00Z", **others, "body": body}, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (stored({"level": "error"}), "error"),
        (stored({"msg": "x", "level": "Warning"}), "warn"),
        (stored({"severity": "CRITICAL"}), "fatal"),
        (stored({"log.level": "debug", "message": "ERROR"}), "debug"),
        (stored({"levelname": "INFO"}), "info"),
        (stored({"a": {"level": "error"}}), None),
        (stored({"level": 30}), None),
        (stored({"level": None, "severity": "info"}), "info"),
        (stored({"level": {"error": 1}}), None),
        (stored({"level": "loud"}), None),
        (stored("plain", severity="ERROR"), "error"),
        (stored("level=warn msg=hello"), "warn"),
        (stored('ts=1 lvl="err" msg=x'), "error"),
        (stored("sea_level=high"), None),
        (stored("2026-11-24 12:00:00 ERROR failed"), "error"),
        (stored("[WARN] slow"), "warn"),
        (stored("no error here"), None),
        (stored("MIRROR of INFORMATION"), None),
        (stored("x" * 200 + " ERROR"), None),
        (stored("E1124 12:00:00.123456    1 main.go:1] no"), "error"),
        (stored("E1124 and so on"), None),
        (stored([1, "ERROR"]), None),
        (stored("hello", resource={"body": "ERROR", "level": "fatal"}), None),
        (b'{"time":"x","resource":{},"body_base64":"RVJST1I="}\n', None),
        (b"not json\n", None),
        (b"", None),
        (b'{"body":' + b"[" * 5000 + b"}\n", None),
    ],
)
def test_levels(line: bytes, level: Level | None) -> None:
    assert level_of(line) == level


@given(st.binary(max_size=200))
def test_no_line_makes_it_raise(line: bytes) -> None:
    level_of(line)


@pytest.mark.parametrize(
    ("rule", "signal", "origin", "fits"),
    [
        ({}, "logs", Origin("app"), True),
        ({"signal": "traces"}, "traces", Origin("app"), True),
        ({"signal": "traces"}, "logs", Origin("app"), False),
        ({"source": "a*"}, "logs", Origin("app"), True),
        ({"source": "A*"}, "logs", Origin("app"), False),
        ({"resource": {"k8s.namespace.name": "pay-*"}}, "logs", Origin("x", (("k8s.namespace.name", "pay-eu"),)), True),
        ({"resource": {"k8s.namespace.name": "pay-*"}}, "logs", Origin("x", (("k8s.namespace.name", "web"),)), False),
        ({"resource": {"k8s.namespace.name": "*"}}, "logs", Origin("x"), False),
        ({"resource": {"a": "1", "b": "2"}}, "logs", Origin("x", (("a", "1"),)), False),
        ({"source": "app", "resource": {"a": "1"}}, "logs", Origin("app", (("a", "1"), ("b", "2"))), True),
    ],
    ids=str,
)
def test_a_rule_fits_what_has_all_it_names(rule: dict[str, Any], signal: Signal, origin: Origin, fits: bool) -> None:
    (part,) = routes({**rule, "to": "audit"})(signal, origin).split(header(1, 9), stored("x"))
    assert part.retention == ("audit" if fits else "standard")


def test_the_first_rule_that_fits_decides() -> None:
    found = routes({"source": "app", "level": ["error"], "to": "audit"}, {"source": "app", "to": "short"})
    lines = stored("ERROR") + stored("INFO") + stored("?")
    parts = {part.retention: part.stored for part in found("logs", Origin("app")).split(header(3, 30), lines)}
    assert parts == {"audit": stored("ERROR"), "short": stored("INFO") + stored("?")}
    assert found("logs", Origin("other")).by_level == dict.fromkeys(found("logs", Origin("other")).by_level, "standard")


def test_what_is_not_lines_goes_whole_by_the_rules_without_levels() -> None:
    found = routes({"level": ["error"], "to": "audit"}, {"signal": "logs", "to": "short"})
    (part,) = found("logs", Origin("app")).split(header(5, 50, "otlp"), b"level=error")
    assert (part.retention, part.stored, part.header.records) == ("short", b"level=error", 5)


@given(
    st.lists(st.sampled_from(["ERROR a", "DEBUG b", "c", "WARN \n d", "level=fatal"]), max_size=30), st.integers(0, 999)
)
def test_splitting_keeps_every_line_once_and_adds_up(texts: list[str], size: int) -> None:
    rules = ({"level": ["error", "fatal"], "to": "audit"}, {"level": ["debug"], "to": "short"})
    lines = [stored(text) for text in texts]
    parts = routes(*rules)("logs", Origin("app")).split(header(len(lines), size), b"".join(lines))
    assert sorted(b"".join(part.stored for part in parts).splitlines()) == sorted(b"".join(lines).splitlines())
    assert sum(part.header.records for part in parts) == len(lines)
    assert sum(part.header.input_bytes for part in parts) == size
    assert all(part.stored.count(b"\n") == part.header.records for part in parts)
    assert len({part.retention for part in parts}) == len(parts)
    for part in parts:
        own = part.stored.splitlines(keepends=True)
        assert [line for line in lines if line in own] == own
