"""What actions write: truncation, pseudonyms, encryption, replacement texts."""

import json
import re
from functools import cache
from typing import Any
from xml.etree.ElementTree import fromstring
from xml.sax.saxutils import quoteattr

import pytest
from engine import thoroughly
from hypothesis import assume, given
from hypothesis import strategies as st

from scrubbers import Policy, Scrubber
from scrubbers.actions import TOKEN, in_token, label, own_tokens, replacer, token, tokens
from scrubbers.detectors import DETECTORS
from scrubbers.encodings import decode
from scrubbers.keyring import MAX_ENCRYPTED, Cipher, EncryptionKey, NotOpened
from scrubbers.plan import Plan
from scrubbers.revealing import Revealer
from scrubbers.truncation import TRUNCATIONS, domain, network, year
from settings import Secret, SettingsError, loads
from tests import strategies

KEY = Secret("0123456789abcdef" * 2)
OTHER = Secret("fedcba9876543210" * 2)


def policy(*keys: dict[str, Any], **more: Any) -> Policy:
    return Policy.model_validate({"keys": keys, **more})


def scrubbed(record: bytes, *keys: dict[str, Any], **more: Any) -> bytes:
    scrubber = Scrubber(policy(*keys, **more))
    once = scrubber.scrub(record + b"\n").body
    assert scrubber.scrub(once).body == once
    return once[:-1]


# Whatever the action: notations stay whole


ACTIONS: dict[str, dict[str, Any]] = {
    "delete": {}, "replace": {"replacement": "[PII:{rule}]"}, "mask": {"keep_last": 8}, "hash": {}, "encrypt": {},
    "network": {"action": "truncate", "truncate_to": "network"},
    "domain": {"action": "truncate", "truncate_to": "domain"}, "year": {"action": "truncate", "truncate_to": "year"},
}  # fmt: skip
KEYS = {"hash": {"key": "0123456789abcdef"}, "encrypt": {"key": "0123456789abcdef" * 2}}
any_action = st.sampled_from(sorted(ACTIONS))
SAFE = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ[]:/_.*-@ ,;()+"


@cache
def by(action: str) -> Scrubber:
    """Keys and patterns by one action, where it can be theirs."""
    key = {"names": ["password", "user.email", "dob"]} | {"action": action} | ACTIONS[action]
    of_patterns = {name: each for name, each in key.items() if name in ("keep_last", "replacement")}
    if action in ("replace", "mask", "hash", "encrypt"):
        of_patterns["action"] = action
    return Scrubber(policy(key, patterns=[{"detector": each} | of_patterns for each in DETECTORS], **KEYS))


@thoroughly
@given(
    value=st.binary(min_size=1, max_size=60) | strategies.shapes.map(lambda each: each.text.encode()), action=any_action
)
def test_nothing_that_is_written_could_be_read_as_a_sign_of_a_notation(value: bytes, action: str) -> None:
    rule = policy({"names": ["a"]} | {"action": action} | ACTIONS[action], **KEYS).keys[0]
    written = replacer(rule, label('a b<">/c'), bytes.lower, policy(**KEYS))(value)
    assert set(written) <= set(SAFE)
    assert b" " not in written or action in ("mask", "network")
    assert written


def _logfmt(line: str) -> list[tuple[str, str]]:
    pairs = re.findall(r'([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?:\s|$)', line)
    return [(key, quoted or bare) for key, quoted, bare in pairs]


logfmt_values = st.one_of(
    st.sampled_from(["7", "-", "ok", "two words", "a=b", 'say "x"', "back\\slash", ""]),
    strategies.shapes.map(lambda each: each.text), strategies.phrases,
)  # fmt: skip


@thoroughly
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(["msg", "n", "password", "user.email", "dob"]), logfmt_values), max_size=5
    ),
    action=any_action,
)
def test_logfmt_stays_logfmt(pairs: list[tuple[str, str]], action: str) -> None:
    def written(value: str) -> str:
        plain = re.fullmatch(r'[^\s="\\]+', value)
        return value if plain else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    line = " ".join(f"{key}={written(value)}" for key, value in pairs)
    scrubbed = by(action).scrub(line.encode() + b"\n")
    assume(not scrubbed.quarantined)
    assert [key for key, _ in _logfmt(scrubbed.body.decode()[:-1])] == [key for key, _ in pairs]


@thoroughly
@given(
    attribute=logfmt_values, text=strategies.shapes.map(lambda each: each.text), action=any_action,
    name=st.sampled_from(["password", "msg", "dob"]),
)  # fmt: skip
def test_xml_stays_xml(attribute: str, text: str, action: str, name: str) -> None:
    assume("&" not in text and "<" not in text)
    document = f"<order><u {name}={quoteattr(attribute)} n='1'>{text}</u><i>{text}</i></order>"
    scrubbed = by(action).scrub(document.encode() + b"\n")
    assume(not scrubbed.quarantined)
    root = fromstring(scrubbed.body)  # noqa: S314 — of our own making
    assert [each.tag for each in root.iter()] == ["order", "u", "i"]
    assert set(root[0].keys()) == {name, "n"}


# Truncation


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b"203.0.113.9", b"203.0.113.0"),
        (b"10.2.3.4", b"10.2.3.0"),
        (b"203.0.113.9:443", b"203.0.113.0:443"),
        (b"203.0.113.9, 10.2.3.4,8.8.8.8", b"203.0.113.0, 10.2.3.0,8.8.8.0"),
        (b"2001:DB8:1:2::3", b"2001:db8:1::"),
        (b"[2001:db8:1:2::3]:443", b"[2001:db8:1::]:443"),
        (b"::ffff:203.0.113.9", b"::ffff:203.0.113.0"),
        (b"fe80::1", b"fe80::"),
        (b"unknown", None),
        (b"203.0.113.9, unknown", None),
        (b"203.0.113.0/24", None),
        (b"fe80::1%eth0", None),
        (b"[2001:db8::1", None),
        (b"203.0.113.9 bob", None),
        (b"", None),
        (b"1.2.3.4," * 100, None),
    ],
)
def test_an_address_is_cut_to_its_network(value: bytes, left: bytes | None) -> None:
    assert network(value) == left


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b"bob@example.com", b"*@example.com"),
        ("jörg+x@mail.example.co.uk".encode(), b"*@mail.example.co.uk"),
        (b"bob@localhost", None),
        (b"example.com", None),
        (b"bob.smith", None),
        ("bob@müller.example".encode(), None),
        (b"bob@a.example, eve@b.example", None),
        (b"a@b@example.com", None),
    ],
)
def test_an_email_address_is_cut_to_its_domain(value: bytes, left: bytes | None) -> None:
    assert domain(value) == left


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (b"1990-05-17", b"1990"),
        (b"1990-05-17T00:00:00.000Z", b"1990"),
        (b"1990-05-17 10:00:00+02:00", b"1990"),
        (b"1990/05/17", b"1990"),
        (b"19900517", b"1990"),
        (b"17.05.1990", b"1990"),
        (b"5/17/1990", b"1990"),
        (b"1990", b"1990"),
        (b"1990-13-17", None),
        (b"17.05.90", None),
        (b"17 May 1990", None),
        (b"1990-05-17 bob", None),
        (b"0000-05-17", None),
        (b"3005-05-17", None),
        (b"642988800", None),
        (b"1234567", None),
        (b"1234", None),
    ],
)
def test_a_date_is_cut_to_its_year(value: bytes, left: bytes | None) -> None:
    assert year(value) == left


near = st.one_of(
    st.binary(max_size=60), st.ip_addresses().map(lambda each: str(each).encode()),
    st.dates().map(lambda each: str(each).encode()), strategies.emails().map(lambda each: each.text.encode()),
    st.text("0123456789.:,-/[] @abf*", max_size=30).map(str.encode),
)  # fmt: skip


@thoroughly
@given(value=near)
def test_what_is_left_cut_once_more_is_the_same_and_safe_in_every_notation(value: bytes) -> None:
    for cut in TRUNCATIONS.values():
        left = cut(value)
        if left is not None:
            assert cut(left) == left
            assert not set(left) & set(b"\"'\\<>&=;%#\x00\n\t")
            assert left.isascii()


@given(address=st.ip_addresses())
def test_addresses_of_one_network_become_one(address: Any) -> None:
    size = 256 if address.version == 4 else 1 << 80
    assume(address.version == 4 or not address.ipv4_mapped)
    first = type(address)(int(address) // size * size)
    assert network(str(address).encode()) == network(str(first).encode()) == str(first).encode()


def test_truncation_by_key() -> None:
    keys = [
        {"names": ["email"], "action": "truncate", "truncate_to": "domain"},
        {"names": ["client_ip"], "action": "truncate", "truncate_to": "network"},
        {"names": ["born"], "action": "truncate", "truncate_to": "year"},
    ]
    assert scrubbed(b'{"email":"bob@x.io","clientIp":"203.0.113.9","born":"1990-05-17","n":1.10}', *keys) == (
        b'{"email":"*@x.io","clientIp":"203.0.113.0","born":"1990","n":1.10}'
    )
    assert scrubbed(b'{"email":"bob","client_ip":null,"born":642988800,"born":1990}', *keys) == (
        b'{"email":"[REDACTED:email]","client_ip":"[REDACTED:client_ip]","born":"[REDACTED:born]","born":1990}'
    )
    assert scrubbed(b'{"born":19900517,"born":{"y":1990}}', *keys) == b'{"born":"1990","born":"[REDACTED:born]"}'
    assert scrubbed(b"email=bob@x.io client_ip: 2001:db8:1:2::3, born=17.05.1990", *keys) == (
        b"email=*@x.io client_ip: 2001:db8:1::, born=1990"
    )


def test_truncation_by_shape() -> None:
    patterns = [{"detector": each, "action": "truncate"} for each in ("email", "ipv4", "ipv6")]
    assert scrubbed(b"203.0.113.9 - - [x] bob@x.io 2001:db8:1:2::3,", patterns=patterns) == (
        b"203.0.113.0 - - [x] *@x.io 2001:db8:1::,"
    )
    assert scrubbed(b"x@bob@x.io <bob@x.io> mailto:bob@x.io", patterns=patterns) == b"x@*@x.io <*@x.io> mailto:*@x.io"


def test_what_shows_only_once_a_value_is_truncated_is_found() -> None:
    patterns = [{"detector": "email", "action": "truncate"}, {"detector": "payment_card"}, {"detector": "ipv4"}]
    left = scrubbed(b"to bob@4111111111111111.io and eve@81.2.69.142.io", patterns=patterns)
    assert left == b"to *@[REDACTED:payment_card].io and *@[REDACTED:ipv4].io"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("keys: [{names: [email], action: truncate}]", "keys[0].truncate_to: is missing, and the rule truncates"),
        ("patterns: [{detector: payment_card, action: truncate}]", "patterns[0].action: can be `truncate` for `ipv4`"),
        ("keys: [{names: [email], action: encrypt}]", "encrypt: is missing, and a rule encrypts"),
        ("keys: [{names: [email], action: hash}]", "hash: is missing, and a rule hashes"),
        ("encrypt: {key: short}", "encrypt.key: is too short to withstand guesses; give at least 32"),
        ("hash: {key: short}", "hash.key: is too short to keep pseudonyms apart from guesses; give at least 16"),
        (
            "hash: {key: 0123456789abcdef, previous: [{key: 0123456789abcdeg, version: k1}]}",
            "hash.previous[0].version: is that of another key",
        ),
        (
            "hash: {key: 0123456789abcdef, version: k3, previous: [{key: 0123456789abcdeg, version: k1, overlap: true},"
            " {key: 0123456789abcdeh, version: k2, overlap: true}]}",
            "hash.previous: has several keys with `overlap`",
        ),
        (
            "encrypt: {key: 0123456789abcdef0123456789abcdef, version: k2, previous: [{key: short, version: k1}]}",
            "encrypt.previous[0].key: is too short",
        ),
        ("keys: [{names: [email], replacement: '<{rule}>'}]", "keys[0].replacement: cannot stand in every notation"),
    ],
)
def test_the_policy_says_what_is_wrong_with_an_action(text: str, wrong: str) -> None:
    with pytest.raises(SettingsError) as error:
        loads(text, Policy)
    assert wrong in str(error.value)


# Pseudonyms


HASHES = {"names": ["email"], "action": "hash"}


def test_a_pseudonym_is_the_persons_under_one_key_and_one_rule() -> None:
    one = scrubbed(b'{"email":"Bob@X.io"}', HASHES, hash={"key": KEY})
    assert one == scrubbed(b'{"email":"bob@x.io"}', HASHES, hash={"key": KEY})
    assert one != scrubbed(b'{"email":"eve@x.io"}', HASHES, hash={"key": KEY})
    assert one != scrubbed(b'{"email":"bob@x.io"}', HASHES, hash={"key": OTHER})
    other_rule = scrubbed(b'{"login":"bob@x.io"}', {"names": ["login"], "action": "hash"}, hash={"key": KEY})
    assert json.loads(one)["email"].rpartition("/")[2] != json.loads(other_rule)["login"].rpartition("/")[2]


def test_while_keys_are_changed_both_pseudonyms_can_be_searched() -> None:
    def by(**keys: Any) -> str:
        token: str = json.loads(scrubbed(b'{"email":"bob@x.io"}', HASHES, hash=keys))["email"]
        return token

    before = by(key=KEY, version="k1")
    during = by(key=OTHER, version="k2", previous=[{"key": KEY, "version": "k1", "overlap": True}])
    after = by(key=OTHER, version="k2", previous=[{"key": KEY, "version": "k1"}])
    old, new = before[1:-1].partition("/")[2], after[1:-1].partition("/")[2]
    assert (old[:4], new[:4]) == ("k1/h", "k2/h")
    assert during == f"[HMAC:email/{new}/{old}]"


def test_keys_are_in_no_fingerprint_and_in_no_representation() -> None:
    def of(key: Secret, **more: Any) -> Policy:
        previous = [{"key": key, "version": "k0"}]
        return policy(hash={"key": key, "previous": previous}, encrypt={"key": key, "previous": previous, **more})

    assert of(KEY).fingerprint == of(OTHER).fingerprint != of(KEY, version="k2").fingerprint
    assert KEY.get_secret_value() not in repr(of(KEY)) + of(KEY).model_dump_json()


# Encryption


@given(value=st.binary(min_size=1, max_size=MAX_ENCRYPTED), name=st.sampled_from(["email", "user.login", "x" * 64]))
def test_a_value_comes_back_from_its_token(value: bytes, name: str) -> None:
    cipher = Cipher(KEY)
    sealed = cipher.seal(value, name, "k1")
    assert TOKEN.fullmatch(sealed)
    assert cipher.open(sealed) == value
    assert cipher.seal(value, name, "k1") == sealed
    assert value not in sealed or len(value) < 4


@given(value=st.binary(min_size=1, max_size=40), at=st.integers(0, 99), byte=st.sampled_from(b"abc234"))
def test_a_token_that_was_changed_does_not_open(value: bytes, at: int, byte: int) -> None:
    sealed = bytearray(Cipher(KEY).seal(value, "email", "k1"))
    start = sealed.index(b"/x") + 2
    at = start + at % (len(sealed) - 2 - start)  # all but the last digit, of which some bits stand for nothing
    assume(sealed[at] != byte)
    sealed[at] = byte
    with pytest.raises(NotOpened):
        Cipher(KEY).open(bytes(sealed))


@pytest.mark.parametrize(
    "wrong",
    [lambda token: token.replace(b"email", b"phone"), lambda token: token[:-2] + b"]", lambda token: b"x" + token],
    ids=["another rule", "cut off", "no token"],
)
def test_a_token_out_of_its_place_does_not_open(wrong: Any) -> None:
    with pytest.raises(NotOpened):
        Cipher(KEY).open(wrong(Cipher(KEY).seal(b"bob@x.io", "email", "k1")))


def test_another_key_does_not_open_a_token() -> None:
    with pytest.raises(NotOpened):
        Cipher(OTHER).open(Cipher(KEY).seal(b"bob@x.io", "email", "k1"))


def test_a_longer_value_is_not_encrypted_but_replaced() -> None:
    rule = {"names": ["note"], "action": "encrypt"}
    for size, kept in ((MAX_ENCRYPTED, True), (MAX_ENCRYPTED + 1, False)):
        left = scrubbed(b'{"note":"' + b"x" * size + b'"}', rule, encrypt={"key": KEY})
        assert (left == b'{"note":"[REDACTED:note]"}') is not kept


ENCRYPTS = [{"names": ["email", "note", "n"], "action": "encrypt"}]
said = st.recursive(st.text(max_size=20) | st.integers() | st.booleans(), lambda inner: st.lists(inner, max_size=3))


@thoroughly
@given(value=st.text(min_size=1, max_size=30), more=said, depth=st.integers(0, 3))
def test_what_is_revealed_is_the_record_as_it_was(value: str, more: Any, depth: int) -> None:
    """Strings; numbers, arrays and objects come back as text."""
    assume(value.strip() and decode(value.encode()) == value.encode())  # what is decoded stays decoded
    tree: Any = {"note": value, "x": more}
    for _ in range(depth):
        tree = {"log": json.dumps(tree)}
    record = json.dumps(tree).encode() + b"\n"
    scrubber = Scrubber(policy(*ENCRYPTS, encrypt={"key": KEY}))
    sealed = scrubber.scrub(record)
    assume(not sealed.quarantined)
    revealer = Revealer(KEY)
    back = json.loads(revealer.reveal(sealed.body))
    assert revealer.opened == 1
    for _ in range(depth):
        back = json.loads(back["log"])
    assert back == {"note": value, "x": more}


def test_each_token_is_opened_by_the_key_of_its_version() -> None:
    keys = EncryptionKey(key=OTHER, version="k2", previous=({"key": KEY, "version": "k1"},))  # type: ignore[arg-type]
    old, new = Cipher(KEY).seal(b"bob", "email", "k1"), Cipher(OTHER).seal(b"eve", "email", "k2")
    lost, swapped = Cipher(KEY).seal(b"x", "email", "k3"), Cipher(KEY).seal(b"x", "email", "k2")
    revealer = Revealer(keys)
    assert revealer.reveal(b"%b %b %b %b [REDACTED:x]" % (old, new, lost, swapped)) == b"bob eve %b %b [REDACTED:x]" % (
        lost,
        swapped,
    )
    assert (revealer.opened, revealer.unknown, revealer.refused) == (2, 1, 1)


# Replacement texts


@pytest.mark.parametrize(
    "template", ["[PII:{rule}]", "[{rule}]", "[removed]", "[***]", "[x-1_2.3:4*]", "[{rule}{rule}]"]
)
def test_a_text_of_ones_own_is_final(template: str) -> None:
    rule = {"names": ["password", "token"], "replacement": template}
    text = template.replace("{rule}", "password").encode()
    record = b'{"m":"password=hunter2 and token: \\"hunter2\\"","n":"{\\"password\\":\\"hunter2\\"}"}'
    for action in ("replace", "delete"):
        left = scrubbed(record, rule | {"action": action})
        assert b"hunter2" not in left
        assert text in left
        assert json.loads(left)["m"].startswith("password=" + text.decode() + " and token: ")


@pytest.mark.parametrize(
    "template",
    ["<{rule}>", "***", "", "[]", "[ ]", "[a b]", '["a"]', "[a\\n]", "[a]]", "[[a]", "[{name}]", "[{]", "[a}]", "[1]",
     "[a&b]", "[a=b]", "[a%20]", "[é]", "[" + "a" * 70 + "]", "[a]x", "x[a]", "[a]\n", "[a/b]", "[a,b]", "[a'b]"],
)  # fmt: skip
def test_a_text_that_could_break_a_notation_is_refused(template: str) -> None:
    with pytest.raises(SettingsError, match="cannot stand in every notation"):
        loads(json.dumps({"keys": [{"names": ["email"], "replacement": template}]}), Policy)


def test_nothing_is_found_in_a_token() -> None:
    """The names of rules stand in tokens, and are the names of keys; so may be the words of a template."""
    keys = [{"names": ["email", "hmac", "redacted", "pii"], "replacement": "[PII:{rule}]"}]
    pseudonym = b"[HMAC:email/k1/h" + b"0a" * 12 + b"]"
    left = scrubbed(b"email=x [REDACTED:email] %b [PII:email] pii: y" % pseudonym, *keys)
    assert left == b"email=[PII:email] [REDACTED:email] %b [PII:email] pii: [PII:pii]" % pseudonym


@pytest.mark.parametrize(
    "record",
    [
        b"[REDACTED:bob@x.io]", b"[REDACTED:4111111111111111]", b"[HMAC:4111111111111111/k1/h00]", b"[AES:81.2.69.142]",
        b"[REDACTED: bob@x.io]", b"[PII:81.2.69.142]", b'{"m":"[REDACTED:81.2.69.142]"}', b"[REDACTED:email bob@x.io]",
        b"x [HMAC:4111111111111111/k1/h" + b"0a" * 12 + b"]",
    ],
)  # fmt: skip
def test_what_looks_like_a_token_hides_nothing(record: bytes) -> None:
    patterns = [{"detector": each} for each in ("email", "payment_card", "ipv4")]
    left = scrubbed(record, patterns=patterns)
    assert not re.search(rb"bob|4111|81\.2", left)


def test_a_text_is_final_for_the_policy_that_has_it() -> None:
    own = Plan(policy({"names": ["password"], "replacement": "[removed]"})).token
    assert own.fullmatch(b"[removed]")
    assert own.fullmatch(b"[REDACTED:x]")
    assert not own.fullmatch(b"[hunter2]")
    assert tokens([token("email")]) is TOKEN


@given(head=st.binary(max_size=30), tail=st.binary(max_size=30), data=st.data())
def test_every_part_of_a_token_is_in_it(head: bytes, tail: bytes, data: st.DataObject) -> None:
    own = own_tokens(["email"], [b"[gone]"])
    one = data.draw(st.sampled_from([b"[REDACTED:email]", b"[gone]", Cipher(KEY).seal(b"x" * 900, "email", "k1")]))
    start = data.draw(st.integers(0, len(one) - 1))
    end = data.draw(st.integers(start + 1, len(one)))
    text = head.replace(b"[", b"") + one + tail
    at = len(head.replace(b"[", b""))
    assert in_token(own, text, at + start, at + end)
    assert not in_token(own, text, at + start, at + len(one) + 1)
    assert not in_token(own_tokens(["phone"], []), text, at + start, at + end)


@given(name=st.text(min_size=1, max_size=100))
def test_any_name_of_a_rule_makes_a_token(name: str) -> None:
    assert TOKEN.fullmatch(token(label(name)))
