"""Whatever the scrubber does, nothing passes that it did not return, and nothing goes missing."""

import json
from dataclasses import replace

import pytest

import scrubbers
from collector import own_log, telemetry
from collector.batch import HOUR, LATEST, Batch, Origin
from collector.chunks import chunks
from collector.config import RetentionOptions
from collector.routing import Routes
from collector.scrubbing import Prepared, Scrubbing
from exporters.otlp_records import picked
from exporters.requests import framed, requests
from scrubbers import Policy, Quarantined, Scrubbed
from tests.otlp import span_names, spans

NOON = 1_795_521_600_000_000_000  # ns
ROUTES = Routes(RetentionOptions())


class Scrubber:
    """Upper-cases; fails on what it is told to fail on."""

    fingerprint = "f1"

    def __init__(self, poison: bytes = b"\0poison") -> None:
        self.poison = poison
        self.calls = 0

    def scrub(self, body: bytes, **_: object) -> Scrubbed:
        self.calls += 1
        if self.poison in body:
            raise ValueError("canary@example.com")
        kept, gone = [], []
        for index, line in enumerate(body.split(b"\n")[:-1]):
            if b"deep" in line:
                gone.append(Quarantined(index, "too_deep"))
            elif b"twice" in line:
                kept += [line, line]
            else:
                kept.append(line.upper())
        return Scrubbed(b"".join(line + b"\n" for line in kept), {("r", "replace"): 1}, tuple(gone))


@pytest.fixture(autouse=True)
def fresh() -> None:
    telemetry.unshare()


def batch(*lines: bytes, resource: tuple[tuple[str, str], ...] = (), time: int = NOON) -> Batch:
    body = b"".join(line + b"\n" for line in lines)
    return Batch("logs", "lines", Origin("app", resource), body, len(lines), time, time, input_bytes=len(body))


def prepare(given: Batch, scrubber: Scrubber | None = None) -> Prepared:
    return Scrubbing(scrubber or Scrubber(), ROUTES)(given)


def bodies(prepared: Prepared) -> list[object]:
    return [json.loads(line)["body"] for line in prepared.stored.splitlines()]


def balanced(prepared: Prepared) -> bool:
    """What was read is what is stored and what is in quarantine, in records and in bytes."""
    [read] = [count for count in prepared.counts if count.outcome == "read"]
    others = [count for count in prepared.counts if count.outcome != "read"]
    header = prepared.header
    records = sum(count.records for count in others) + (header.records if header else 0)
    size = sum(count.bytes for count in others) + (header.input_bytes if header else 0)
    records += sum(part.header.records for part in prepared.others)
    size += sum(part.header.input_bytes for part in prepared.others)
    return (read.records, read.bytes) == (records, size)


def test_a_batch_is_scrubbed_enveloped_and_counted() -> None:
    prepared = prepare(batch(b"a", b"b"))
    assert bodies(prepared) == ["A", "B"]
    assert prepared.retention == "standard"
    assert prepared.header
    assert (prepared.header.records, prepared.header.policy) == (2, "f1")
    assert balanced(prepared)


def test_what_the_scrubber_takes_out_goes_to_quarantine() -> None:
    prepared = prepare(batch(b"a", b"deep", b"b", b"deep too"))
    assert bodies(prepared) == ["A", "B"]
    assert [(found.index, found.reason) for found in prepared.quarantined] == [(1, "too_deep"), (3, "too_deep")]
    assert balanced(prepared)


def test_of_a_batch_that_leaves_nothing_the_positions_alone_go_on() -> None:
    prepared = prepare(batch(b"deep", b"deep"))
    assert prepared.header is None
    assert prepared.stored == b""
    assert balanced(prepared)


@pytest.mark.parametrize("fault", [b"\0poison", b"twice"], ids=["raises", "makes records"])
@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_a_scrubber_that_fails_costs_the_record_at_fault_alone(fault: bytes, count: int) -> None:
    lines = [b"deep" if number % 5 == 4 else b"x%d" % number for number in range(count)]
    lines[count // 2] = fault
    scrubber = Scrubber()
    prepared = prepare(batch(*lines), scrubber)
    assert bodies(prepared) == [line.decode().upper() for line in lines if line not in (fault, b"deep")]
    assert {found.index: found.reason for found in prepared.quarantined} == {
        number: "scrubber_failed" if line == fault else "too_deep"
        for number, line in enumerate(lines)
        if line in (fault, b"deep")
    }
    assert scrubber.calls <= 2 * count.bit_length() + 1
    assert balanced(prepared)


def test_an_error_of_the_scrubber_is_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    kept, own_log.log.propagate = own_log.log.propagate, True
    try:
        prepare(batch(b"\0poison"))
    finally:
        own_log.log.propagate = kept
    formatter = own_log._Json()
    lines = [formatter.format(record) for record in caplog.records]
    assert any("the scrubber failed on a record" in line for line in lines)
    assert not any("canary" in line for line in lines)


def test_what_cannot_be_enveloped_goes_to_quarantine_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.scrubbing.MAX_STORED_BYTES", 10)
    prepared = prepare(batch(b"a", b"b"))
    assert {found.reason for found in prepared.quarantined} == {"not_enveloped"}
    assert prepared.header is None
    assert balanced(prepared)


def test_attributes_of_the_origin_are_scrubbed_or_left_out() -> None:
    [line] = prepare(batch(b"a", resource=(("pod", "web-1"),))).stored.splitlines()
    assert json.loads(line)["resource"] == {"source": "app", "POD": "WEB-1"}
    for bad in ("deep", "twice", "x" * (1 << 16)):
        [line] = prepare(batch(b"a", resource=(("pod", bad),))).stored.splitlines()
        assert json.loads(line)["resource"] == {"source": "app"}


def test_another_policy_holds_from_the_next_batch_on_for_attributes_too() -> None:
    class Second(Scrubber):
        fingerprint = "f2"

        def scrub(self, body: bytes, **_: object) -> Scrubbed:
            return Scrubbed(body, {})

    scrubbing = Scrubbing(Scrubber(), ROUTES)
    given = batch(b"a", resource=(("pod", "web-1"),))
    scrubbing(given)
    scrubbing.use(Second())
    prepared = scrubbing(given)
    assert prepared.header
    assert (prepared.header.policy, prepared.header.resource) == ("f2", {"source": "app", "pod": "web-1"})
    assert bodies(prepared) == ["a"]


@pytest.mark.parametrize("time", [-5, LATEST + 10, 2**70])
def test_a_time_that_cannot_be_stored_is_brought_to_one_that_can(time: int) -> None:
    header = prepare(batch(b"a", time=time)).header
    assert header
    assert 0 <= header.first_time <= header.last_time < 2**63


def test_the_scopes_of_a_policy_see_where_a_batch_comes_from() -> None:
    policy = Policy.model_validate({
        "keys": [
            {"names": ["nick"], "scope": {"sources": ["app"], "resource": {"k8s.namespace.name": "shop"}}},
            {"names": ["k8s.pod.name"], "scope": {"signals": ["logs"], "sources": ["app"]}},
        ]
    })  # fmt: skip
    scrubbing = Scrubbing(scrubbers.Scrubber(policy), ROUTES)
    line = b'{"nick":"Bob"}'
    for namespace, left in (("shop", {}), ("other", {"nick": "Bob"})):
        prepared = scrubbing(batch(line, resource=(("k8s.namespace.name", namespace), ("k8s.pod.name", "bob-1"))))
        assert bodies(prepared) == [left]
        assert prepared.header is not None
        assert prepared.header.resource == {"source": "app", "k8s.namespace.name": namespace}


def test_records_of_one_batch_go_to_the_classes_of_their_levels() -> None:
    options = RetentionOptions.model_validate(
        {"route": [{"level": ["error"], "to": "audit"}, {"level": ["debug"], "to": "short"}]}
    )
    lines = (b"ERROR one", b"plain", b"DEBUG two", b"deep", b"ERROR three")
    prepared = Scrubbing(Scrubber(), Routes(options))(batch(*lines))
    stored = {part.retention: part.stored for part in prepared.others} | {prepared.retention: prepared.stored}
    told = {name: [json.loads(line)["body"] for line in lines.splitlines()] for name, lines in stored.items()}
    assert told == {"audit": ["ERROR ONE", "ERROR THREE"], "standard": ["PLAIN"], "short": ["DEBUG TWO"]}
    assert balanced(prepared)


# OTLP ----------------------------------------------------------------------------------------------------------------


class OtlpScrubber(Scrubber):
    """Takes spans called `deep` out; fails on a request with a span called `poison`."""

    def scrub_otlp(self, body: bytes, **_: object) -> Scrubbed:
        self.calls += 1
        names = span_names(body)
        if "poison" in names:
            raise ValueError("canary@example.com")
        gone = [number for number, name in enumerate(names) if name == "deep"]
        left = picked("traces", body, lambda number, *_: number not in gone)
        return Scrubbed(left, {}, tuple(Quarantined(number, "too_deep") for number in gone))


def request(*names: str) -> Batch:
    body = spans(names)
    return Batch("traces", "otlp", Origin("otlp"), body, len(names), NOON, NOON, input_bytes=len(body))


def stored_names(prepared: Prepared) -> list[str]:
    return span_names(*requests(prepared.stored))


def test_a_request_is_stored_behind_its_length() -> None:
    prepared = prepare(request("a", "b"), OtlpScrubber())
    assert prepared.stored == framed(spans(["a", "b"]))
    assert prepared.header
    assert (prepared.header.format, prepared.header.records) == ("otlp", 2)
    assert prepared.header.resource == {"source": "otlp"}
    assert balanced(prepared)


@pytest.mark.parametrize("count", [1, 2, 7, 200])
def test_a_scrubber_that_fails_on_a_request_costs_the_records_at_fault_alone(count: int) -> None:
    names = ["deep" if number % 5 == 4 else f"x{number}" for number in range(count)]
    names[count // 2] = "poison"
    scrubber = OtlpScrubber()
    prepared = prepare(request(*names), scrubber)
    assert stored_names(prepared) == [name for name in names if name not in ("poison", "deep")]
    assert {found.index: found.reason for found in prepared.quarantined} == {
        number: {"poison": "scrubber_failed", "deep": "too_deep"}[name]
        for number, name in enumerate(names)
        if name in ("poison", "deep")
    }
    assert scrubber.calls <= 2 * count.bit_length() + 1
    assert balanced(prepared)


def test_a_request_that_leaves_nothing_stores_nothing() -> None:
    prepared = prepare(request("deep", "poison"), OtlpScrubber())
    assert (prepared.header, prepared.stored) == (None, b"")
    assert balanced(prepared)


def test_a_request_that_cannot_even_be_taken_apart_goes_to_quarantine_whole() -> None:
    class Fails(Scrubber):
        def scrub_otlp(self, *_: object, **__: object) -> Scrubbed:
            raise ValueError

    torn = replace(request("a", "b"), body=b"\x0a\x05abc")
    prepared = prepare(torn, Fails())
    assert len(prepared.quarantined) == 2
    assert prepared.header is None
    assert balanced(prepared)


def test_small_requests_of_one_kind_share_a_chunk_and_all_others_have_their_own() -> None:
    scrubbing = Scrubbing(OtlpScrubber(), Routes(RetentionOptions()))
    later = replace(request("later"), first_time=NOON + HOUR, last_time=NOON + HOUR)
    elsewhere = replace(request("elsewhere"), origin=Origin("other"))
    group = [scrubbing(each) for each in (request("a"), request("b", "deep"), later, elsewhere, request("c"))]
    made = list(chunks(group))
    assert [span_names(*requests(chunk.stored)) for chunk in made] == [["a", "b"], ["later"], ["elsewhere"], ["c"]]
    first = made[0].header
    assert first
    assert (first.records, len(made[0].parts)) == (2, 2)
    for chunk in made:
        read = sum(count.records for count in chunk.counts if count.outcome == "read")
        others = sum(count.records for count in chunk.counts if count.outcome != "read")
        assert chunk.header
        assert read == others + chunk.header.records
