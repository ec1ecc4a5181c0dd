"""The shop is worth watching: it works, its lines are what they claim to be, and they hold what was planted."""

import asyncio
import ipaddress
import json
import re
import stat
from collections import Counter
from pathlib import Path

import phonenumbers
import pytest
from aiohttp import ClientSession
from stdnum import iban, luhn
from stdnum.us import ssn

from examples.shop import config, traffic
from examples.shop.people import people
from examples.shop.planted import Planted, found, load, save
from examples.shop.process import Shop
from tests.examples.visited import Visited

PEOPLE = people(seed=3, count=60)
KINDS_OF_A_VISIT = {
    *("name", "email", "password", "phone", "ssn", "street", "card", "cvv", "iban", "ipv4", "ipv6", "basic"),
    *("jwt", "cookie"),
}
KINDS_OF_A_CONFIG = {
    *("aws_key_id", "aws_secret", "github_token", "slack_token", "url_password", "jwt_secret", "private_key"),
}


def test_everything_planted_stands_in_the_raw_log(visited: Visited) -> None:
    """Else a gate that lets everything through would look like one that removes everything."""
    missing = set(visited.planted) - set(found(visited.planted, visited.log))
    assert not missing


def test_every_kind_is_planted(visited: Visited) -> None:
    assert {one.kind for one in visited.planted} == KINDS_OF_A_VISIT | KINDS_OF_A_CONFIG


def test_spans_are_as_careless_as_the_log(visited: Visited) -> None:
    spans = [json.loads(line) for line in visited.spans.splitlines()]
    assert {span["attributes"]["http.request.method"] for span in spans} == {"GET", "POST"}
    assert {"email", "phone", "ipv4", "ipv6", "jwt"} <= {one.kind for one in found(visited.planted, visited.spans)}


def test_lines_are_json_logfmt_or_key_value(visited: Visited) -> None:
    kinds = Counter(_kind(line) for line in visited.log.splitlines())
    assert set(kinds) == {"json", "logfmt", "access"}
    assert kinds["json"] > kinds["access"] > kinds["logfmt"] > 0


def test_records_within_a_request_carry_its_trace_and_span(visited: Visited) -> None:
    lines = [json.loads(line) for line in visited.log.splitlines() if line.startswith("{")]
    outside = [line["message"] for line in lines if "trace_id" not in line]
    assert outside[0] == "starting"
    assert outside[-1] == "stopped"
    spans = {
        (span["context"]["trace_id"].removeprefix("0x"), span["context"]["span_id"].removeprefix("0x"))
        for span in map(json.loads, visited.spans.splitlines())
    }
    inside = {(line["trace_id"], line["span_id"]) for line in lines if "trace_id" in line}
    assert inside
    assert inside <= spans


def test_most_lines_hold_nothing_planted(visited: Visited) -> None:
    """As in life; a gate that leaves them alone can be told from one that blanks everything."""
    lines = visited.log.splitlines()
    clean = [line for line in lines if not found(visited.planted, line)]
    assert len(clean) > len(lines) / 2
    assert {"health check", "inventory"} <= {json.loads(line)["message"] for line in clean if line.startswith("{")}


@pytest.mark.parametrize(
    ("place", "pattern"),
    [
        ("a header dump", r'"headers": \{[^}]*"Authorization": "(Basic|Bearer) '),
        ("headers as text", r"no session for request:\\nHost: .*\\nAuthorization: Basic "),
        ("a cookie", r'"Cookie": "session='),
        ("a query string", r'"query_string": "q=tea&email=[^"@]+%40[^"]+&phone=%2B1'),
        ("a token in a URL", r"/invoice\?access_token=eyJ"),
        ("JSON in a JSON string", r'"response": "\{\\"id\\": .*\\"card\\": \{\\"number\\": \\"\d{4} '),
        ("SQL with its values", r"\[SQL: INSERT INTO customer .* VALUES \('[^']+', '[^']+@[^']+', '\+1"),
        ("a stack trace", r'"stacktrace": "Traceback \(most recent call last\):\\n'),
        ("an e-mail in prose", r'"message": "login failed for [^" ]+@\S+ from '),
        ("logfmt", r'^ts=\d{19} level=info lib=paylib/2.4.1 msg="charge sent" card="?\d'),
        ("an access line", r"^ts=\d{19} client=[0-9a-f:.]+ method=POST uri=/login status=401 "),
        ("a nested body", r'"body": \{"profile": \{"full_name": .*"ssn": "\d{3}-\d\d-\d{4}"'),
        ("a password in a URL", r"redis://cache:[^@]+@"),
        ("a private key", r"-----BEGIN PRIVATE KEY-----\\n"),
        ("an escaped letter", r"\\u00[0-9a-f]{2}"),
    ],
)
def test_personal_data_stands_in(visited: Visited, place: str, pattern: str) -> None:
    assert re.search(pattern, visited.log, re.MULTILINE), place


def test_people_are_the_same_for_a_seed_and_others_for_another() -> None:
    assert people(seed=3, count=9) == PEOPLE[:9]
    assert not set(people(seed=4, count=9)) & set(PEOPLE)


def test_the_numbers_of_people_are_valid() -> None:
    for person in PEOPLE:
        assert luhn.is_valid(person.card)
        assert iban.is_valid(person.iban)
        assert ssn.is_valid(person.ssn)
        assert phonenumbers.is_valid_number(phonenumbers.parse(person.phone))
        assert ipaddress.ip_address(person.ipv4).is_global
        assert ipaddress.ip_address(person.ipv6).is_global


def test_phone_numbers_and_domains_are_those_kept_for_fiction() -> None:
    for person in PEOPLE:
        assert re.fullmatch(r"\+1\d{3}55501\d\d", person.phone)
        assert person.email.endswith(("@example.com", "@example.net", "@example.org"))


def test_secrets_have_the_shapes_of_real_ones() -> None:
    made = config.make(seed=5).config
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", made["aws"]["aws_access_key_id"])
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", made["aws"]["aws_secret_access_key"])
    assert re.fullmatch(r"ghp_[A-Za-z0-9]{36}", made["webhooks"][0]["token"])
    assert re.fullmatch(r"xoxb-\d{12}-\d{13}-[A-Za-z0-9]{24}", made["webhooks"][1]["token"])


def test_planted_values_and_secrets_are_the_owners_alone(tmp_path: Path) -> None:
    planted = [Planted("name", "José Muñoz"), Planted("card", "4111 1111 1111 1111")]
    save(planted, tmp_path / "planted.json")
    config.make(seed=5).save(tmp_path / "config.json")
    assert load(tmp_path / "planted.json") == planted
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    "text",
    [
        "Sent to JOSÉ.muñoz@example.org today",
        r'{"to": "jos\u00e9.mu\u00f1oz@example.org"}',
        r'{"upstream": "{\"to\": \"jos\\u00e9.mu\\u00f1oz@example.org\"}"}',
        "q=tea&email=jos%C3%A9.mu%C3%B1oz%40example.org",
        r'{"uri": "\/search?email=jos%C3%A9.mu%C3%B1oz%40example.org"}',
    ],
)
def test_a_planted_value_is_found_however_it_is_spelled(text: str) -> None:
    planted = [Planted("email", "josé.muñoz@example.org"), Planted("email", "other@example.org")]
    assert found(planted, text) == planted[:1]


def test_a_shop_that_misbehaves_ends_the_visit(tmp_path: Path) -> None:
    """Signing up the same people twice is a conflict where a fresh shop would say `created`."""
    visitors = people(seed=8, count=1)
    with Shop(tmp_path, config.make(seed=8)) as shop:
        asyncio.run(traffic.play(shop.url, visitors, seed=8))
        with pytest.raises(RuntimeError, match="POST /signup: 409, expected 201"):
            asyncio.run(traffic.play(shop.url, visitors, seed=8))


def test_a_shop_without_a_readable_config_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shop = Shop(tmp_path, config.make(seed=1))
    (tmp_path / "config.json").unlink()
    with pytest.raises(RuntimeError, match="did not start"), shop:
        pass
    assert "config.json" in capfd.readouterr().err


def test_search_finds_what_is_asked_for(tmp_path: Path) -> None:
    async def titles(base_url: str, wanted: str) -> list[str]:
        async with ClientSession(base_url) as session, session.get("/search", params={"q": wanted}) as response:
            return [product["title"] for product in await response.json()]

    with Shop(tmp_path, config.make(seed=1)) as shop:
        assert asyncio.run(titles(shop.url, "CUP")) == ["Cup, stoneware"]


def _kind(line: str) -> str:
    if line.startswith("{"):
        assert isinstance(json.loads(line), dict)
        return "json"
    assert re.fullmatch(r'ts=\d{19}( [a-z_]+=("([^"\\]|\\.)*"|[^ "]*))+', line)
    return "logfmt" if " lib=" in line else "access"
