"""What is suggested for logs: what looks personal is named and counted, what is nobody's is not, no value is shown."""

import io
import json
import random
import re
import string
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from collector.cli.policy import suggest
from collector.cli.terminal import Console
from scrubbers import Policy, Scrubber, load_policy
from scrubbers.workbench.likeness import kind_of
from scrubbers.workbench.masked import masked
from scrubbers.workbench.observation import MAX_CHILDREN, MAX_PATHS, Observation
from scrubbers.workbench.proposal import Suggestion, as_yaml, suggestions
from settings import loads
from tests.scrubbers.engine import thoroughly
from tests.strategies import planted

DEFAULT = load_policy()
NOTHING = Policy.model_validate({})


def observe(*records: Any, policy: Policy = DEFAULT) -> Observation:
    observed = Observation(policy)
    observed.add(b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in records))
    return observed


def suggested(*records: Any, policy: Policy = DEFAULT) -> dict[str, Suggestion]:
    return {each.rule: each for each in suggestions(observe(*records, policy=policy), policy)}


def shown(observed: Observation, policy: Policy = DEFAULT) -> str:
    """All that a person gets to see."""
    out = io.StringIO()
    found = suggestions(observed, policy)
    suggest._show(observed, found, Console(out, width=10_000))
    return out.getvalue() + as_yaml(found, observed.records)


def names(count: int = 40) -> list[str]:
    rnd = random.Random(7)
    first, last = (
        ["Anna", "Björn", "Chloé", "Dora", "Emeka", "Fatima"],
        ["Smith", "O'Neill", "Müller", "Okafor", "Silva"],
    )
    return [f"{rnd.choice(first)} {rnd.choice(last)}" for _ in range(count)]


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        ({"customer": {"birthPlace": "Ulm"}}, "key birth_place"),
        ({"shipTo": {"streetName": "Am Markt 3"}}, "key street_name"),
        ({"ship": {"homeAddr": "12 Main Street"}}, "key home_addr"),
        ({"tel_no": "030 901820-17"}, "key tel_no"),
        ({"steuernummer": "12345678901"}, "key steuernummer"),
        ({"zip": "10115"}, "key zip"),
        ({"displayName": {"x": 1}, "contact": {"name": "Anna Smith"}}, "key contact.name"),
        ({"sessionKey": "a8Jd72hGs9dkQw3"}, "key session_key"),
        ({"user": {"Salary": 61_250}}, "key salary"),
        ({"geo": {"lat": 48.137154, "lng": 11.576124}}, "key lat"),
        ({"raw": json.dumps({"body": json.dumps({"diagnosis": "asthma"})})}, "key diagnosis"),
        (b"2026-11-24 INFO saved birth_place=Ulm ok", "key birth_place"),
        (b'2026-11-24 INFO saved {"birth_place":"Ulm"}', "key birth_place"),
        (b"GET /signup?plan=pro&birthPlace=Ulm HTTP/1.1", "key birth_place"),
        ({"religion": "none of your business"}, "key religion"),
    ],
)
def test_a_name_that_sounds_personal_with_a_value_that_fits(record: Any, rule: str) -> None:
    found = suggested(record)
    assert rule in found
    assert found[rule].likely


@pytest.mark.parametrize(
    "record",
    [
        {"address": "10.2.0.17:5432"},
        {"server": {"address": "db-1.internal:5432"}},
        {"remote_addr": "10.2.0.17"},
        {"tokens": 512, "token_type": "Bearer", "max_tokens": 4096},
        {"hostname": "web-17", "service_name": "cart", "file_name": "a.txt", "k8s": {"pod": {"name": "web-1"}}},
        {"phone_verified": True, "email_status": "sent", "password_min_length": 12},
        {"license": "MIT", "tax": 19.25, "card": "visa", "account": "free", "pin": 3},
        {"tel": "none", "zip": True, "lat": 3, "session": "new", "auth": "basic"},
        {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "digest": "9f86d081884c7d659a2feaa0c55ad015"},
        {"msg": "error: failed, retry: 3 of 5, state=PENDING", "sizes": [1, 2, 3], "ratio": 0.123456},
        {"customer": {"type": "business", "count": 17}},
        b"plain text and nothing else",
        b"{broken json: at all",
    ],
)
def test_what_is_nobodys_is_not_suggested(record: Any) -> None:
    assert suggested(*[record] * 5) == {}


def test_values_that_look_like_names_of_people_under_a_name_that_says_nothing() -> None:
    found = suggested(*({"f1": name, "event": "Order Created"} for name in names()))
    assert [(each.rule, each.likely, each.why) for each in found.values()] == [
        ("key f1", False, "looks like first and last names")
    ]


def test_random_text_is_possibly_a_secret_and_hexadecimal_is_an_identifier() -> None:
    rnd = random.Random(3)
    mixed = ["".join(rnd.choices(string.ascii_letters + string.digits, k=32)) for _ in range(20)]
    found = suggested(
        *({"p": each, "q": f"{rnd.getrandbits(128):032x}", "pod": "web-7d9f8b6c5d-x2x4z"} for each in mixed)
    )
    assert [(each.rule, each.why) for each in found.values()] == [("key p", "looks like random text")]


def test_something_of_a_persons_that_is_of_one_shape_and_always_different() -> None:
    found = suggested(*({"member": {"card_ref": f"AB{number:06}"}, "ref": f"AB{number:06}"} for number in range(50)))
    assert list(found) == ["key card_ref"] or list(found) == ["key member.card_ref"]


def test_a_detector_that_the_policy_does_not_use() -> None:
    policy = Policy.model_validate({"patterns": [{"detector": "email"}]})
    records = [{"msg": f"card 4111111111111111 of a@b{n}.io used", "pan": "4111 1111 1111 1111"} for n in range(3)]
    found = suggested(*records, policy=policy)
    assert set(found) == {"detector payment_card", "key pan"}
    assert found["detector payment_card"].records == 3
    assert found["detector payment_card"].place[1] == ("msg",)


def test_numbers_that_fit_a_check_digit_by_chance_are_no_cards() -> None:
    observed = observe(*({"order_id": 4_000_000_000_000_000 + n} for n in range(2_000)), policy=NOTHING)
    assert [each.rule for each in suggestions(observed, NOTHING)] == []


def test_what_the_policy_finds_is_not_suggested_again() -> None:
    assert suggested({"email": "a@b.io", "msg": "from a@b.io", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}) == {}
    mask = Policy.model_validate({"keys": [{"names": ["tel_no"], "action": "mask"}], "mode": "observe"})
    assert suggested({"tel_no": "030 901820-17"}, policy=mask) == {}


def test_what_the_policy_lets_stay_is_not_suggested() -> None:
    policy = Policy.model_validate({
        "patterns": [{"detector": "email", "allow": {"shapes": [".*@ops\\.example"]}}, {"detector": "ipv4"}],
        "allow": {"values": ["203.0.113.9"]},
        "keep": [{"names": ["order"], "shape": "[0-9]{16}"}],
    })  # fmt: skip
    record = {"by": "root@ops.example", "from": "203.0.113.9", "order": "4111111111111111"}
    assert suggested(record, b"by root@ops.example order=4111111111111111", policy=policy) == {}


def test_what_is_only_counted_is_known_all_the_same() -> None:
    policy = Policy.model_validate({"patterns": [{"detector": "email", "mode": "observe"}]})
    assert suggested({"by": "root@ops.example"}, policy=policy) == {}


def test_a_map_by_user_is_one_path_and_its_keys_are_not_shown() -> None:
    observed = observe(*({"by": {f"{name} {n}": {"tel_no": f"030 90{n:04}17"}}} for n, name in enumerate(names(400))))
    (found,) = suggestions(observed, DEFAULT)
    assert (found.path, found.values, found.records) == ("by.*.tel_no", 400, 400)
    assert not re.search("|".join(set(names(400))), shown(observed))


def test_keys_that_are_data_are_not_shown() -> None:
    keys = ["jane@example.com", "4111111111111111", "415-234-1023", "user/17", "a" * 60]
    observed = observe(*({key: {"tel_no": "030 901820-17"}} for key in keys))
    assert [each.path for each in suggestions(observed, DEFAULT)] == ["*.tel_no"]


def test_memory_is_bounded_by_paths_not_by_records() -> None:
    observed = Observation(DEFAULT)
    rnd = random.Random(1)

    def word() -> str:
        return "".join(rnd.choices(string.ascii_lowercase, k=6))

    for _ in range(6):
        lines = [json.dumps({word(): {word(): {word(): word(), "tel_no": "030 9018201"}}}) for _ in range(1_000)]
        observed.add("\n".join([*lines, ""]).encode())
    assert len(observed.seen) <= MAX_PATHS
    assert len(observed._resolved) <= 4 * MAX_PATHS
    assert sum(map(len, observed._children.values())) <= MAX_PATHS * 4
    assert all(len(each) <= MAX_CHILDREN for each in observed._children.values())
    assert sum(each.values for each in suggestions(observed, DEFAULT) if each.key == "tel_no") == 6_000


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (("custBirthDate",), "birth"), (("homephone",), "phone"), (("ADDRESS_LINE",), "address"), (("SSNumber",), None),
        (("user", "name"), "name"), (("service", "name"), None), (("pod", "address"), None), ((), None), (("",), None),
    ],
)  # fmt: skip
def test_what_a_name_sounds_like(path: tuple[str, ...], kind: str | None) -> None:
    found = kind_of(path)
    assert (found.name if found else None) == kind


# What is shown of values


@thoroughly
@given(st.text(min_size=1, max_size=60))
def test_a_mask_shows_a_third_at_most_and_four_characters_at_most(value: str) -> None:
    hidden = masked(value)
    left = [each for each in hidden if each != "*"]
    assert len(left) <= min(4, len(value) / 3)
    assert len(value) < 3 or value not in hidden or set(value) == {"*"}


personal = st.one_of(
    st.from_regex(r"[A-Z][a-z]{3,9} [A-Z][a-z]{3,12}", fullmatch=True),
    st.from_regex(r"[0-9]{1,4} [A-Z][a-z]{3,9} (Street|Road)", fullmatch=True),
    st.from_regex(r"0[1-9][0-9 ]{3,4}[0-9]{5,8}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9]{12,40}", fullmatch=True),
    st.from_regex(r"19[0-9]{2}-[01][0-9]-[0-3][0-9]", fullmatch=True),
)
sounding = st.sampled_from(["birthPlace", "tel_no", "streetName", "session_key", "displayName", "f1", "customer_ref"])


@thoroughly
@given(st.lists(st.tuples(sounding, personal), min_size=1, max_size=12), st.sampled_from(["json", "nested", "text"]))
def test_no_value_is_shown(planted: list[tuple[str, str]], notation: str) -> None:
    records: list[Any] = []
    for key, value in planted:
        records.append({
            "json": {"user": {key: value}, "list": [value]},
            "nested": {"raw": json.dumps({key: value})},
            "text": f'saved {key}="{value}" for {value}'.encode(),
        }[notation])  # fmt: skip
    said = shown(observe(*records, policy=NOTHING), NOTHING)
    assert [value for _, value in planted if value in said] == []


@thoroughly
@given(st.lists(planted, min_size=1, max_size=8))
def test_nothing_planted_is_shown(records: list[Any]) -> None:
    """Whatever the notation and encoding; keys that are personal themselves, too."""
    said = shown(observe(*(each.record for each in records), policy=NOTHING), NOTHING)
    assert [secret for each in records for secret in each.secrets if len(secret) > 7 and secret in said] == []


@settings(thoroughly, phases=set(Phase) - {Phase.shrink})  # each policy is compiled: minutes of shrinking
@given(st.lists(planted, min_size=1, max_size=4), st.lists(st.tuples(sounding, personal), max_size=6))
def test_what_is_proposed_loads_and_finds(records: list[Any], more: list[tuple[str, str]]) -> None:
    """The proposal is a policy, and it finds what it was proposed for."""
    lines: list[Any] = [*(each.record for each in records), *({"user": {key: value}} for key, value in more)]
    observed = observe(*lines, policy=NOTHING)
    found = suggestions(observed, NOTHING)
    text = as_yaml(found, observed.records)
    policy = loads(text, Policy)
    likely = {each.key for each in found if each.likely and each.key}
    assert {name for rule in policy.keys for name in rule.names} == likely
    assert {rule.detector for rule in policy.patterns} == {each.detector for each in found if each.detector}
    known = {"birthPlace": "birth_place", "streetName": "street_name"}
    expected = [(key, value) for key, value in more if known.get(key, key) in likely]
    if expected:
        scrubber = Scrubber(policy.model_copy(update={"extends": ()}))
        for key, value in expected:
            assert value.encode() not in scrubber.scrub(json.dumps({"user": {key: value}}).encode()).body
