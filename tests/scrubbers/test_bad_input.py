"""Bad input: passed on byte for byte where clean, scrubbed where not; never a crash, never raw, in bounded time."""

import json
import time

import pytest
from engine import by_engine, by_reference, scrubber
from oracle import leaks

CARD = b"4111111111111111"


def scrubbed(record: bytes) -> bytes:
    return scrubber().scrub(record + b"\n").body.removesuffix(b"\n")


@pytest.mark.parametrize("opening", [b'{"a":', b"["], ids=["objects", "arrays"])
def test_deeply_nested_json_that_is_clean_is_the_same_object(opening: bytes) -> None:
    closing = b"}" if opening.startswith(b"{") else b"]"
    block = opening * 10_000 + b"1" + closing * 10_000 + b"\n"
    assert scrubber().scrub(block).body is block


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b'{"email":"hunter2"}', b"{}"),
        (b'{"x":"hunter2 bob@x.io"}', b'{"x":"hunter2 [REDACTED:email]"}'),
        (CARD, b'"[REDACTED:payment_card]"'),
        (b'{"e\\u006dail":["hunter2"]}', b"{}"),
    ],
)
@pytest.mark.parametrize("opening", [b'{"a":', b"["], ids=["objects", "arrays"])
def test_deeply_nested_json_is_scrubbed(opening: bytes, value: bytes, left: bytes) -> None:
    closing = b"}" if opening.startswith(b"{") else b"]"
    record = opening * 10_000 + value + closing * 10_000
    assert scrubbed(record) == opening * 10_000 + left + closing * 10_000


def test_deeply_nested_json_that_is_broken_is_scrubbed_or_quarantined() -> None:
    out = scrubber().scrub(b'{"a":' * 10_000 + b'{"email":"bob@x.io"' + b"}" * 5_000 + b"\n")
    assert b"bob@x.io" not in out.body


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_json_in_json_strings_is_scrubbed(levels: int) -> None:
    record = '{"pass-word": "hunter2", "m": "bob@x.io"}'
    for _ in range(levels):
        record = json.dumps({"log": record})
    left = scrubbed(record.encode())
    assert b"hunter2" not in left
    assert b"bob@x.io" not in left
    inner = json.loads(left)
    for _ in range(levels):
        inner = json.loads(inner["log"])
    assert inner == {"m": "[REDACTED:email]"}


def test_json_in_strings_too_deep_to_be_read_is_quarantined() -> None:
    record = '{"m": "\\u0062ob@x.io"}'
    for _ in range(8):
        record = json.dumps({"log": record})
    out = scrubber().scrub(b"before\n" + record.encode() + b"\nafter\n")
    assert out.body == b"before\nafter\n"
    assert [each.index for each in out.quarantined] == [1]


def test_a_line_of_10_megabytes_is_scrubbed() -> None:
    filler = b"some words and 2026-09-21T14:02:11.000390524Z more " * 100_000
    line = filler + b"bob@x.io " + filler + b"password=hunter2"
    left = scrubbed(line)
    assert left == filler + b"[REDACTED:email] " + filler + b"password=[REDACTED:password]"


def test_json_of_10_megabytes_in_one_line_is_scrubbed() -> None:
    members = b'"some_key":"some words","n":1.10,' * 300_000
    line = b"{" + members + b'"e\\u006dail":"hunter2","z":"bob@x.io"}'
    assert scrubbed(line) == b"{" + members + b'"z":"[REDACTED:email]"}'


def test_a_clean_line_of_10_megabytes_is_the_same_object() -> None:
    block = b'{"a":"' + b"some words and 2026-09-21T14:02:11.000390524Z more " * 200_000 + b'"}\n'
    assert scrubber().scrub(block).body is block


FLOODS = {
    "keys without end": b"email=",
    "keys of objects without end": b'{"email":',
    "keys and braces": b"email={",
    "keys and brackets": b"token=[",
    "quoted keys": b'"email":"',
    "headers": b"cookie: a ",
    "mail without end": b"bob@x.io",
    "mail": b"bob@x.io ",
    "signs of mail": b"a@",
    "heads of tokens": b"eyJ",
    "heads of keys": b"-----BEGIN " + b"PRIVATE KEY-----",
    "braces": b"{",
    "brackets": b'["',
    "quotes": b'"',
    "backslashes": b"\\",
    "escaped quotes": b'\\"',
    "percent": b"%25",
    "escapes": b"\\u0041",
    "digits": b"4111",
    "groups": b"4111 1111-",
    "addresses": b"2a02:",
    "URLs": b"http://u:p@",
    "documents": b'{"a":1}\\n5',
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.timeout(60)
def test_what_repeats_does_not_take_quadratic_time(flood: str) -> None:
    def seconds(size: int) -> float:
        record = FLOODS[flood] * (size // len(FLOODS[flood])) + b"\n"
        start = time.process_time()
        scrubber().scrub(record)
        return time.process_time() - start

    seconds(1_000)
    small, large = min(seconds(2_000), seconds(2_000)), min(seconds(16_000), seconds(16_000))
    assert large < 24 * max(small, 0.001)  # linear is 8 times as long, quadratic 64 times


@pytest.mark.parametrize(
    "number", ["1e400", "-1E+9999", "0." + "1" * 5_000, "9" * 10_000, "1" * 5_000 + ".5e-7", "12345678901234567890"]
)
def test_huge_numbers_stay_as_they_are_spelled(number: str) -> None:
    block = f'{{"n":{number},"l":[{number}]}}\n'.encode()
    assert scrubber().scrub(block).body is block
    assert scrubbed(f'{{"n":{number},"email":"x"}}'.encode()) == f'{{"n":{number}}}'.encode()


@pytest.mark.parametrize(
    "number", ["0.4532015112830366", "0.4111111111111111", "-3.4111111111111111", "4.532015112830366e-1"]
)
def test_fractions_are_no_cards(number: str) -> None:
    for block in (
        f'{{"duration":{number},"l":[{number}, {number}]}}\n'.encode(),
        f"took {number} s, r={number}\n".encode(),
    ):
        assert scrubber().scrub(block).body is block


def test_of_members_of_the_same_name_each_is_scrubbed() -> None:
    assert scrubbed(b'{"email":"a1","n":1,"email":"b2","n":1,"Email":"c3"}') == b'{"n":1,"n":1}'
    assert scrubbed(b'{"m":"bob@x.io","m":"81.2.69.142"}') == b'{"m":"[REDACTED:email]","m":"[REDACTED:ipv4]"}'


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("record", "left"),
    [
        (BOM + b'{"email":"a1","n":1}', BOM + b'{"n":1}'),
        (BOM + b"password=hunter2", BOM + b"password=[REDACTED:password]"),
        (BOM + b"4111111111111111", BOM + b"[REDACTED:payment_card]"),
        (b'{"email":"a1","n":1}\r', b'{"n":1}\r'),
        (b"Authorization: Basic dXNlcjpwYXNz\r", b"Authorization: [REDACTED:authorization]\r"),
        (b"password=hunter2\r", b"password=[REDACTED:password]\r"),
        (b"from bob@x.io\r", b"from [REDACTED:email]\r"),
        (b"\x00bob@x.io\x00", b"\x00[REDACTED:email]\x00"),
        (b'{"a\x00":"536-81-7623\x00","email":"\x00"}', b'{"a\x00":"[REDACTED:us_ssn]\x00"}'),
        (b"\x00\x00 4111111111111111 \x00", b"\x00\x00 [REDACTED:payment_card] \x00"),
        (b'{"a":"\\ud800bob@x.io","n":1}', b'{"a":"[REDACTED:email]","n":1}'),
        (b'{"a":"\\ud800 bob@x.io \\udfff","n":1}', b'{"a":"\\ud800 [REDACTED:email] \\udfff","n":1}'),
        (b'{"a":"\\ud83d\\ude00 4111111111111111"}', b'{"a":"\\ud83d\\ude00 [REDACTED:payment_card]"}'),
        (b'{"e\\u006dail":"\\ud800","n":1}', b'{"n":1}'),
        (b"\xff\xfe bob@x.io \x80", b"\xff\xfe [REDACTED:email] \x80"),
        (b'{"a":"\xff 81.2.69.142 \xc3","email":"\xff"}', b'{"a":"\xff [REDACTED:ipv4] \xc3"}'),
        (b"\xc0\xaf 536-81-7623", b"\xc0\xaf [REDACTED:us_ssn]"),
    ],
)
def test_the_rest_of_an_odd_record_stays_byte_for_byte(record: bytes, left: bytes) -> None:
    assert scrubbed(record) == left
    assert by_engine(record + b"\n") == by_reference(record + b"\n")
    assert leaks(record, left) == []


ODD = [
    b"", b"\x00" * 50, b"\xff\xfe\xfd", b"\xed\xa0\x80", BOM, BOM + b'{"a":1}', b"\r", b'{"a":1}\r',
    b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}', b'{"a":', b'{"a":"x', b"}", b"]]", b'{"a":1,}', b'{"a" 1}',
    b"{a:1}", b'{"a":NaN}', b'{"a":01}', b'"', b"\\", b"\\u", b"\\u00", b"%", b"%4", b"%zz",
]  # fmt: skip


@pytest.mark.parametrize("record", ODD)
def test_an_odd_record_that_is_clean_is_the_same_object(record: bytes) -> None:
    block = record + b"\n"
    assert scrubber().scrub(block).body is block
    assert scrubber().scrub(record).body is record


def test_crlf_stays_between_records() -> None:
    assert (
        scrubber().scrub(b'{"email":"a1"}\r\nbob@x.io\r\n\r\nclean\r\n').body
        == b"{}\r\n[REDACTED:email]\r\n\r\nclean\r\n"
    )
