"""Records with personal data planted in them, and garbage made of the signs that matter. Shared by the property tests.

A record is built twice: as it is written (spelling, notation, encoding and white space are drawn) and as what must be
left of it, decoded. So a test can ask for more than "the value is gone": everything else must still say the same.
"""

import base64
import ipaddress
import json
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import phonenumbers
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.iso7064 import mod_97_10

from scrubbers import load_policy

LEFT = "\ue000"
"""Stands for one of our tokens in what must be left: which rule's, and how it is written, the tests do not ask."""

Draw: TypeAlias = st.DrawFn
Tree: TypeAlias = Any  # what a JSON reader gives; numbers as Number

ALNUM = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Number:
    """A JSON number or word as it is spelled."""

    spelled: str


@dataclass(frozen=True)
class Piece:
    """A piece of running text: as written, what must be left of it, and the secrets in it."""

    text: str
    left: str
    secrets: tuple[str, ...] = ()

    def __add__(self, other: "Piece") -> "Piece":
        return Piece(self.text + other.text, self.left + other.left, self.secrets + other.secrets)


@dataclass(frozen=True)
class Planted:
    """A record (no newline at its end) with what must be left of it, decoded, and which secrets must be gone."""

    record: bytes
    left: Tree
    secrets: tuple[str, ...] = ()
    clean: tuple[str, ...] = ()  # parts that must still be there as they are written, in this order


def plain(text: str) -> Piece:
    return Piece(text, text)


def secret(text: str, before: str = "", after: str = "") -> Piece:
    return Piece(before + text + after, before + LEFT + after, (text,))


# Personal data by shape: one strategy for each detector


def _digits(size: int) -> st.SearchStrategy[str]:
    return st.text(string.digits, min_size=size, max_size=size)


def _word(low: int, high: int, alphabet: str = ALNUM) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=low, max_size=high)


@st.composite
def emails(draw: Draw) -> Piece:
    letters = string.ascii_letters + draw(st.sampled_from(["", "éßж日"]))
    local = draw(st.from_regex(rf"[{letters}0-9]{{1,6}}([._+-][{letters}0-9]{{1,6}}){{0,2}}", fullmatch=True))
    domain = draw(
        st.from_regex(rf"([{letters}0-9]{{1,8}}\.){{1,3}}(com|io|org|example|{letters[:2]}{{2}})", fullmatch=True)
    )
    return secret(f"{local}@{domain}")


_CARDS = [("4", 16), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("65", 16),
          ("36", 14), ("3530", 16), ("62", 16), ("2200", 16), ("5018", 12), ("6304", 13), ("6759", 19)]  # fmt: skip


@st.composite
def card_numbers(draw: Draw) -> str:
    head, size = draw(st.sampled_from(_CARDS))
    body = head + draw(_digits(size - len(head) - 1))
    return body + cast("str", luhn.calc_check_digit(body))


@st.composite
def cards(draw: Draw) -> Piece:
    number = draw(card_numbers())
    mark = draw(st.sampled_from(["", "", " ", "-"]))
    if mark and len(number) == 15:
        return secret(mark.join([number[:4], number[4:10], number[10:]]))
    if mark and len(number) in (16, 19):
        return secret(mark.join(number[at : at + 4] for at in range(0, len(number), 4)))
    return secret(number)


@st.composite
def ssns(draw: Draw) -> Piece:
    area = draw(st.integers(1, 899).filter(lambda area: area != 666))
    return secret(f"{area:03}-{draw(st.integers(1, 99)):02}-{draw(st.integers(1, 9999)):04}")


_IBANS = {"DE": "n18", "GB": "a4n14", "NL": "a4n10", "FR": "n10c11n2", "BE": "n12", "AT": "n16", "CH": "n5c12",
          "ES": "n20", "IT": "a1n10c12", "PL": "n24"}  # fmt: skip
_KINDS = {"n": string.digits, "a": string.ascii_uppercase, "c": string.ascii_uppercase + string.digits}


@st.composite
def ibans(draw: Draw) -> Piece:
    country = draw(st.sampled_from(sorted(_IBANS)))
    account = "".join(
        draw(_word(int(n), int(n), _KINDS[kind])) for kind, n in re.findall(r"([nac])(\d+)", _IBANS[country])
    )
    number = country + mod_97_10.calc_check_digits(account + country) + account
    if draw(st.booleans()):
        number = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    return secret(number)


_REGIONS = ["DE", "GB", "FR", "ES", "IT", "PL", "SE", "BR", "IN", "AU", "US", "JP", "CN", "MX"]
_NANP = ["({0}) {1}-{2}", "{0}-{1}-{2}", "{0}.{1}.{2}", "{0} {1} {2}", "+1 {0} {1} {2}", "1-{0}-{1}-{2}", "+1{0}{1}{2}",
         "({0}){1}-{2}", "+1 ({0}) {1}-{2}", "1 ({0}) {1}-{2}"]  # fmt: skip


@st.composite
def phones(draw: Draw) -> Piece:
    if draw(st.booleans()):
        code, exchange = (
            draw(st.from_regex(r"[2-9][0-8][0-9]", fullmatch=True)),
            draw(st.from_regex(r"[2-9][0-9]{2}", fullmatch=True)),
        )
        return secret(draw(st.sampled_from(_NANP)).format(code, exchange, draw(_digits(4))))
    number = phonenumbers.example_number(draw(st.sampled_from(_REGIONS)))
    form = draw(st.sampled_from([phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL]))
    return secret(phonenumbers.format_number(number, form))


_PRIVATE = [ipaddress.ip_network(each) for each in (
    "0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
    "224.0.0.0/3")]  # fmt: skip


@st.composite
def ipv4s(draw: Draw) -> Piece:
    address = draw(st.ip_addresses(v=4).filter(
        lambda ip: not any(ip in net for net in _PRIVATE) and not str(ip).endswith(".0.0.0")))  # fmt: skip
    return secret(str(address), after=draw(st.sampled_from(["", "", ":443"])))


@st.composite
def ipv6s(draw: Draw) -> Piece:
    address = ipaddress.IPv6Address(
        (draw(st.integers(0x2000, 0x3FFF)) << 112) | draw(st.integers(0, (1 << 112) - 1) | st.integers(0, 65535))
    )
    written = draw(st.sampled_from([address.compressed, address.exploded]))
    return secret(written.upper() if draw(st.booleans()) else written)


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@st.composite
def jwts(draw: Draw) -> Piece:
    head = _base64(json.dumps({"alg": draw(st.sampled_from(["HS256", "none", "ES512"]))}, separators=(",", ":")))
    body = _base64(json.dumps({"sub": draw(_word(1, 9))}, separators=(",", ":")))
    return secret(f"{head}.{body}.{draw(_word(0, 20, ALNUM + '_-'))}")


@st.composite
def credentials(draw: Draw) -> Piece:
    if draw(st.booleans()):
        token = draw(_word(20, 40))
        return secret(token, before=draw(st.sampled_from(["Bearer ", "bearer ", "BEARER "])))
    pair = base64.b64encode(f"{draw(_word(1, 8))}:{draw(_word(1, 8))}".encode()).decode()
    return secret(pair, before=draw(st.sampled_from(["Basic ", "basic "])))


@st.composite
def url_passwords(draw: Draw) -> Piece:
    scheme = draw(st.sampled_from(["postgres", "https", "redis", "amqp"]))
    user = draw(st.sampled_from(["", "app", "svc-1", "root"]))
    word = draw(_word(4, 12, ALNUM + "!$*._~-"))
    host = draw(st.sampled_from(["db", "db.internal:5432", "cache.svc", "10.0.0.7"]))
    return secret(word, before=f"{scheme}://{user}:", after=f"@{host}/x")


def _issued(head: str, low: int, high: int, alphabet: str = ALNUM) -> st.SearchStrategy[Piece]:
    return _word(low, high, alphabet).map(lambda tail: secret(head + tail))


_UPPER = string.ascii_uppercase + string.digits
aws_keys = st.sampled_from(["AKIA", "ASIA"]).flatmap(lambda head: _issued(head, 16, 16, _UPPER))
github_tokens = st.one_of(
    st.sampled_from("pousr").flatmap(lambda kind: _issued(f"gh{kind}_", 36, 40)), _issued("github_pat_", 22, 60)
)
slack_tokens = st.sampled_from("abeoprs").flatmap(lambda kind: _issued(f"xox{kind}-", 10, 40))


@st.composite
def pem_keys(draw: Draw) -> Piece:
    """In one line, as it stands in a string: its line ends are escapes or are gone."""
    kind = draw(st.sampled_from(["", "RSA ", "EC ", "OPENSSH "]))
    lines = draw(st.lists(_word(16, 64, ALNUM + "+/"), min_size=1, max_size=4))
    end = draw(st.sampled_from(["\\n", " "]))
    return secret(end.join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"]))


SHAPES: dict[str, st.SearchStrategy[Piece]] = {
    "email": emails(),
    "payment_card": cards(),
    "us_ssn": ssns(),
    "iban": ibans(),
    "phone": phones(),
    "ipv4": ipv4s(),
    "ipv6": ipv6s(),
    "jwt": jwts(),
    "http_credentials": credentials(),
    "url_password": url_passwords(),
    "aws_access_key": aws_keys,
    "github_token": github_tokens,
    "slack_token": slack_tokens,
    "private_key": pem_keys(),
}
shapes = st.sampled_from(sorted(SHAPES)).flatmap(lambda name: SHAPES[name])

# Personal keys, in their spellings

KEYS: tuple[str, ...] = tuple(name for rule in load_policy().keys for name in rule.names)
HEADERS = ("authorization", "proxy_authorization", "cookie", "set_cookie", "x_api_key", "x_auth_token", "x_csrf_token")
KEPT = ("trace_id", "span_id", "request_id", "commit")


@st.composite
def spelled(draw: Draw, name: str, marks: str = "_- ") -> str:
    """A name as somebody may write it: any case, any separator between words or one anywhere."""
    segments = []
    for segment in name.split("."):
        words = segment.split("_")
        if draw(st.integers(0, 3)):
            written = words[0]
            for word in words[1:]:
                written += draw(st.sampled_from(["", *marks])) + word
        else:
            joined = "".join(words)
            at = draw(st.integers(1, len(joined) - 1))
            written = joined[:at] + draw(st.sampled_from(marks)) + joined[at:]
        cases: list[Callable[[str], str]] = [str.lower, str.upper, str.title, str.swapcase, str.capitalize]
        segments.append(draw(st.sampled_from(cases))(written))
    return ".".join(segments)


key_names = st.sampled_from(KEYS).flatmap(spelled)
simple_keys = st.sampled_from([name for name in KEYS if name not in HEADERS])
VALUE = ALNUM + "._~-"
# Begins and ends with what no notation takes for its own sign, and is long enough not to stand elsewhere by chance.
values = st.builds(lambda head, body, tail: f"q{head}{body}{tail}z", _word(2, 3), _word(2, 12, VALUE), _word(1, 1))
phrases = st.lists(values, min_size=1, max_size=3).map(" ".join)

# Text that is nobody's: what stands beside personal data, and must stay

HARMLESS = [
    "order", "GET /v1/items", "user", "status ok", "took", "at", "und", "é", "日本", "(retry)", "it's", "a/b", "key",
    "tokens", "emailed", "passwords reset", "secretary", "ssnake", "x=1", "n: 2",
    "id=6f1c2b9a-77aa-4b0e-9d8c-0a1b2c3d4e5f", "ts=2026-09-21T14:02:11.000390524Z", "t 1790000000000390524",
    "peer 10.2.0.17", "127.0.0.1", "v1.2.3", "std::vector", "fe80::1", "12:34:56",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736", "pod web-7d9f8b6c5d-x2x4z", "100%", "a@b", "@property",
    "logo@2x.png", "sha256", "$12.50", "#42", "C:", "<a>", "x\\y", "[INFO]", "-", "→", "bearer of news",
    "basic auth",
]  # fmt: skip
harmless = st.sampled_from(HARMLESS).map(plain)
ends = st.sampled_from([" ", ", ", "; ", " - ", " | ", "\t", " (", ") "]).map(plain)


def _bare(draw: Draw, name: str, sign: str) -> Piece:
    marks = "_ " if ":" in sign else "_- "  # with a dash it is a header's, whose value takes the line
    return plain(draw(spelled(name, marks)) + sign) + secret(draw(values))


@st.composite
def assignments(draw: Draw) -> Piece:
    """A personal key and its value in one of the notations of running text."""
    name = draw(simple_keys)
    sign = draw(st.sampled_from(["=", ": ", "=", ": ", " = ", ":", " : ", "=>"]))
    quote = draw(st.sampled_from(["", "", '"', "'"]))
    if not quote:
        return _bare(draw, name, sign)
    return plain(draw(spelled(name)) + sign + quote) + secret(draw(phrases)) + plain(quote)


@st.composite
def queries(draw: Draw) -> Piece:
    """A query string or form body with a personal parameter, percent-encoded in places, once or twice."""
    parameters = [plain("a=1"), plain("page=2"), plain("q=x+y")]
    name = draw(st.sampled_from(KEYS))
    value = draw(values)
    written = _percent(draw, value)
    wanted = Piece(written, LEFT, (value,))
    key = draw(spelled(name, "_-"))
    parameters.insert(draw(st.integers(0, 3)), Piece(_percent(draw, key) + "=", key + "=") + wanted)
    if draw(st.integers(0, 3)) == 0:
        inner = json.dumps({key: value, "n": 1}, separators=(",", ":"))
        parameters.append(plain("data=") + Piece("".join(f"%{byte:02x}" for byte in inner.encode()), '{"n":1}'))
    whole = plain(draw(st.sampled_from(["/v1/login?", "https://shop.example/x?", ""])))
    for number, parameter in enumerate(parameters):
        whole += (plain("&") if number else plain("")) + parameter
    return whole + plain(" ")  # a comma behind it would be of the last value


def _percent(draw: Draw, text: str) -> str:
    for _ in range(draw(st.integers(0, 2))):
        mask = draw(st.integers(0, (1 << 24) - 1))
        text = "".join(
            "".join(f"%{byte:02X}" for byte in char.encode()) if mask >> (at % 24) & 1 else char
            for at, char in enumerate(text)
        )
    return text


@st.composite
def encoded_shapes(draw: Draw) -> Piece:
    """Personal data percent-encoded in places, as a parameter's value or by itself.

    Not a URL's password: while the URL is no URL yet, `password@host` is an e-mail address, and the longer one wins.
    """
    piece = draw(shapes.filter(lambda piece: "://" not in piece.text))
    whole = Piece(_percent(draw, piece.text), piece.left, piece.secrets)
    return plain("?r=") + whole + plain("&n=1 ") if draw(st.booleans()) else whole


@st.composite
def printed_maps(draw: Draw) -> Piece:
    """A map as Python prints it. The key stays in text."""
    name = draw(spelled(draw(st.sampled_from(KEYS))))
    return plain("{'a': 1, '" + name + "': '") + secret(draw(phrases)) + plain("', 'n': 2}")


personal_text = st.one_of(shapes, shapes, assignments(), queries(), encoded_shapes(), printed_maps())


@st.composite
def headers(draw: Draw) -> Piece:
    """A header that carries credentials: its value reaches to the end of the line."""
    name = draw(spelled(draw(st.sampled_from(HEADERS)), "_-"))
    value = draw(values)
    form = draw(
        st.sampled_from(["{}", "{} and {}", 'Digest username="bob", response="{}"', 'Token token="{}"', "a={}; b=1"])
    )
    return plain(f"{name}: ") + Piece(form.format(value, value), LEFT, (value,))


@st.composite
def texts(draw: Draw, lines: bool = False) -> Piece:
    """Running text, harmless and personal in turns. Words stand between: nothing runs into its neighbour."""
    whole = draw(st.sampled_from(HARMLESS).map(plain)) + plain(" on ") if draw(st.booleans()) else plain("")
    for number in range(draw(st.integers(1, 3))):
        if number:
            whole += draw(ends) + plain(draw(st.sampled_from(["and", "word", "für", "GET"])) + " ")
        whole += draw(personal_text)
    if draw(st.booleans()):
        whole += plain(" and ") + draw(harmless)
    if lines:
        for _ in range(draw(st.integers(0, 2))):
            whole += plain(draw(st.sampled_from(["\n", "\r\n"]))) + draw(st.one_of(headers(), harmless, personal_text))
    elif draw(st.integers(0, 4)) == 0:
        whole += plain(" ") + draw(headers())
    return whole


# JSON

_SPACE = st.sampled_from(["", "", "", " ", "  ", "\t"])
_NUMBERS = st.sampled_from(
    [
        "1.10",
        "1E5",
        "-0",
        "0.1e-7",
        "12345678901234567890",
        "1790000000000390524",
        "true",
        "false",
        "null",
        "200",
        "-1.50",
    ]
)
_NEUTRAL_KEYS = st.sampled_from(["a", "msg", "n", "Id", "user", "b c", "é", "x.y", "status", "tokens", "data"])


def _json_string(draw: Draw, text: str) -> str:
    r"""A JSON string: any subset of its characters as `\uXXXX`, `/` as `\/` or plain."""
    mask = draw(st.one_of(st.just(0), st.just(0), st.just(-1), st.integers(0, (1 << 32) - 1)))
    slash = draw(st.booleans())
    written = []
    for at, char in enumerate(text):
        if mask >> (at % 32) & 1:
            codes = char.encode("utf-16-be")
            written += [f"\\u{codes[i] << 8 | codes[i + 1]:04x}" for i in range(0, len(codes), 2)]
        elif char == "/" and slash:
            written.append("\\/")
        else:
            written.append(json.dumps(char, ensure_ascii=False)[1:-1])
    return '"' + "".join(written) + '"'


@dataclass(frozen=True)
class Written:
    """A JSON value: as written, what is left of it (decoded), and more as in Planted."""

    text: str
    left: Tree
    secrets: tuple[str, ...] = ()
    clean: tuple[str, ...] = ()


def _leaf(draw: Draw, level: int) -> Written:
    what = draw(st.integers(0, 6))
    if what == 0:
        number = draw(_NUMBERS)
        return Written(number, Number(number))
    if what == 1:
        number = draw(card_numbers())
        return Written(number, LEFT, (number,))
    if what == 2 and level < 3:
        inner = draw(documents(level + 1))
        return Written(_json_string(draw, inner.text), inner.left, inner.secrets)
    if what == 3:
        text = draw(harmless).text
        return Written(_json_string(draw, text), text)
    piece = draw(texts(lines=True))
    return Written(_json_string(draw, piece.text), piece.left, piece.secrets)


def _value(draw: Draw, level: int, depth: int) -> Written:
    if depth < 3 and draw(st.integers(0, 4)) == 0:
        items = [_value(draw, level, depth + 1) for _ in range(draw(st.integers(0, 3)))]
        space = draw(st.one_of(_SPACE, st.sampled_from(["\n ", "\n  "])) if level else _SPACE)
        return Written(
            "[" + space + f"{space},".join(item.text for item in items) + "]",
            [item.left for item in items],
            tuple(each for item in items for each in item.secrets),
        )
    if depth < 3 and draw(st.integers(0, 3)) == 0:
        return draw(_objects(level, depth + 1))
    return _leaf(draw, level)


def _personal_value(draw: Draw) -> tuple[str, str]:
    value = draw(phrases)
    return draw(st.sampled_from([
        (json.dumps(value), value), (_json_string(draw, value), value), (f'{{"x": ["{value}"], "y": 1}}', value),
        (f'["{value}", {{"a":"{value}"}}]', value), (json.dumps(json.dumps({"a": value, "n": [1]})), value),
        ("48151623421", "48151623421"), ("-7.700e+1", "7.700e+1"), ("null", ""), ("true", ""), ('""', ""),
    ]))  # fmt: skip


@st.composite
def _objects(draw: Draw, level: int, depth: int) -> Written:
    parts, secrets, clean = [], [], []
    left: dict[str, Tree] = {}
    space = (
        st.one_of(_SPACE, st.sampled_from(["\n", "\n ", "\n  "])) if level else _SPACE
    )  # printed nicely, it is in lines
    before, colon, after, last = draw(space), draw(space), draw(space), draw(space)
    for _ in range(draw(st.integers(0, 4))):
        what = draw(st.integers(0, 5))
        if what <= 1:
            name = draw(key_names)
            value, planted = _personal_value(draw)
            parts.append(f"{_json_string(draw, name)}{before}:{colon}{value}")
            secrets += [planted] if planted else []
        elif what == 2:
            name = draw(_NEUTRAL_KEYS)
            left[name] = Number(number := draw(_NUMBERS))
            member = f'"{name}"{before}:{colon}{number}'
            parts.append(member)
            clean.append(member)
        elif what == 3 and draw(st.booleans()):
            piece = draw(shapes)
            left[piece.left] = Number("1")
            parts.append(f"{_json_string(draw, piece.text)}{before}:{colon}1")
            secrets += piece.secrets
        else:
            name = draw(_NEUTRAL_KEYS)
            written = _value(draw, level, depth)
            left[name] = written.left
            parts.append(f"{_json_string(draw, name)}{before}:{colon}{written.text}")
            secrets += written.secrets
            clean += written.clean if level == 0 else ()
    # What a name said twice leaves is not compared (readers differ): the tree keeps the last.
    return Written("{" + after + f"{after},{after}".join(parts) + last + "}", left, tuple(secrets), tuple(clean))


@st.composite
def documents(draw: Draw, level: int = 0) -> Written:
    """A JSON object, `level` strings deep."""
    return draw(_objects(level, 0))


def canonical(value: Tree) -> Tree:
    """What a tree says, however it is written: strings decoded, JSON in strings read, our tokens made equal."""
    if isinstance(value, dict):
        return {cast("str", canonical_text(key)): canonical(each) for key, each in value.items()}
    if isinstance(value, list):
        return [canonical(each) for each in value]
    return canonical_text(value) if isinstance(value, str) else value


_TOKENS = re.compile(r"\[REDACTED:[^\]\s]*\]")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


def canonical_text(text: str) -> Tree:
    text = _TOKENS.sub(LEFT, text)
    if text[:1] in ("{", "["):
        try:
            return canonical(read(text))
        except ValueError:
            pass
    for _ in range(4):
        text = _PERCENT.sub(lambda match: bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace"), text)
    return text


def read(text: str | bytes) -> Tree:
    """JSON, with numbers and words as they are spelled; raises ValueError."""
    tree = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=Number)
    return _words(tree)


def _words(tree: Tree) -> Tree:
    if isinstance(tree, dict):
        return {key: _words(each) for key, each in tree.items()}
    if isinstance(tree, list):
        return [_words(each) for each in tree]
    return Number(json.dumps(tree)) if tree is None or isinstance(tree, bool) else tree


@st.composite
def json_records(draw: Draw) -> Planted:
    written = draw(documents())
    return Planted(written.text.encode(), written.left, written.secrets, written.clean)


@st.composite
def text_records(draw: Draw) -> Planted:
    piece = draw(texts())
    return Planted(piece.text.encode(), piece.left, piece.secrets)


@st.composite
def wrapped_records(draw: Draw) -> Planted:
    """JSON in the wrapping of a container runtime: CRI's prefix, Docker's json-file."""
    inner = draw(documents())
    if draw(st.booleans()):
        head = "2026-09-21T14:02:11.000390524Z stdout F "
        return Planted((head + inner.text).encode(), ("cri", inner.left), inner.secrets)
    whole = (
        '{"log":'
        + _json_string(draw, inner.text + "\n")
        + ',"stream":"stdout","time":"2026-09-21T14:02:11.000390524Z"}'
    )
    left = {"log": inner.left, "stream": "stdout", "time": "2026-09-21T14:02:11.000390524Z"}
    return Planted(whole.encode(), left, inner.secrets)


planted = st.one_of(json_records(), text_records(), wrapped_records())


@st.composite
def cut_off(draw: Draw) -> tuple[Planted, bytes]:
    """A record, and what is left of it where it was cut off: long lines are, and the parts of CRI."""
    whole = draw(planted)
    size = len(whole.record)
    return whole, whole.record[: draw(st.integers(size // 3, size))]


# Records in which personal data stand close together: only that they go can be asked for

_TIGHT = st.sampled_from([" ", ",", ", ", "\t", "|", ";", "/", "(", "=", '"', "'", "  "]).map(plain)


@st.composite
def crowded(draw: Draw) -> Planted:
    whole = plain("")
    for _ in range(draw(st.integers(1, 5))):
        piece = draw(st.one_of(shapes, shapes, harmless))
        whole += Piece(_percent(draw, piece.text), "", piece.secrets) + draw(_TIGHT)
    if draw(st.booleans()):
        return Planted(whole.text.encode(), None, whole.secrets)
    return Planted(('{"m":' + _json_string(draw, whole.text) + "}").encode(), None, whole.secrets)


# Clean records

identifiers = st.sampled_from(
    [
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00f067aa0ba902b7",
        "6f1c2b9a-77aa-4b0e-9d8c-0a1b2c3d4e5f",
        "7d9f8b6c5d",
        "web-7d9f8b6c5d-x2x4z",
    ]
)


# Of those with 12 to 19 digits one in some hundred is a card's number.
_numbers = st.integers().filter(lambda number: not 12 <= len(str(abs(number))) <= 19)


@st.composite
def clean_records(draw: Draw) -> bytes:
    text = " ".join(draw(st.lists(st.sampled_from(HARMLESS), min_size=0, max_size=5)))
    if draw(st.booleans()):
        return text.encode()
    mixed = json.dumps(
        {"n": draw(_numbers), "t": text, "l": [text, {"x": draw(identifiers)}]}, ensure_ascii=draw(st.booleans())
    )
    return mixed.encode()


# Garbage made of the signs that matter

SIGNS = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b":", b"=", b",", b"&", b"%", b"@", b"+", b"-", b".", b"'", b" ", b"/",
    b"?", b";", b"(", b")", b"<", b">", b"\t", b"\r", b"\x00", b"\x80", b"\xff", b"\xc3\xa9", b"#", b"_", b"!", b"|",
]  # fmt: skip
PARTS = [
    b"email", b"password", b"token", b"credit card", b"Authorization", b"user", b"user.email", b"ssn", b"trace_id",
    b"db", b"statement", b"parameters", b"db.query.parameter", b"cookie", b"pwd", b"bob@x.io", b"x.io",
    b"4111111111111111", b"4111", b"1111", b"536-81-7623", b"81.2.69.142", b"+4930901820", b"415-234-1023",
    b"(415) 234-1023", b"2a02:8071:1234::1", b"DE89370400440532013000", b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    b"Bearer ", b"basic ", b"dXNlcjpwYXNz", b"8f3a9c2e41d7", b"://", b"app:hunter2@", b"AKIAIOSFODNN7EXAMPLE",
    b"ghp_" + b"a1B2" * 9, b"xoxb-" + b"1234567890", b"-----BEGIN " + b"PRIVATE KEY-----",
    b"-----END " + b"PRIVATE KEY-----", b"[REDACTED:email]", b"[REDACTED:", b"[HMAC:ssn/k1/h00]", b"\\u0040",
    b"[HMAC:ssn/k1/h" + b"0a" * 12 + b"]",
    b"[password]", b"[PII:phone]", b"[AES:email/k1/x" + b"ab2" * 9 + b"]", b"*@x.io", b"81.2.69.0", b"2a02:8071:1234::",
    b"1990-05-17", b"1990", b'"n":', b"n=",
    b"\\u0022", b"\\ud83d\\ude00", b"\\ud800", b"\\u00e9", b"%40", b"%2540", b"%22", b"%7B", b'\\"', b"\\n", b"\\\\",
    b"\\/", b"\\t", b'{"a":', b'":"', b'","', b'"}', b'"email":', b"[1,", b"null", b"1e5", b"7", b"0", b"12", b"a",
    b"n", b"A", b"Z9", b"xyz", b"hunter2", b"T0ABCDEF1", b"hooks.slack.com/services/", b"\\u0065mail",
    b"e\\u006dail", b"%65mail",
]  # fmt: skip
signs = st.one_of(st.sampled_from(SIGNS), st.sampled_from(PARTS))
garbage = st.lists(signs, max_size=14).map(b"".join)
garbage_lines = st.lists(st.one_of(signs, st.just(b"\n"), st.just(b"\r\n")), max_size=24).map(b"".join)
json_garbage = garbage.map(lambda text: b'{"a":"' + text + b'","email":"' + text[:9] + b'","n":1}')
nested_garbage = st.lists(signs, max_size=8).map(
    lambda parts: json.dumps({"a": json.dumps({"b": b"".join(parts).decode("latin-1")})}).encode()
)


@st.composite
def mutated(draw: Draw) -> bytes:
    """A valid record with one to four bytes or signs deleted, inserted, doubled or replaced."""
    record = bytearray(draw(planted).record)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(record)))
        what = draw(st.integers(0, 4))
        if what == 0:
            del record[at : at + 1]
        elif what == 1:
            record[at:at] = draw(signs)
        elif what == 2:
            record[at:at] = record[at : at + draw(st.integers(1, 8))]
        elif what == 3:
            record[at : at + 1] = draw(signs)
        else:
            del record[at : at + draw(st.integers(1, 30))]
    return bytes(record).replace(b"\n", b" ")


framed = st.builds(
    lambda head, record, tail: head + record + tail,
    st.sampled_from([b"", b"", b"\xef\xbb\xbf", b" ", b"\x00"]),
    planted.map(lambda each: each.record),
    st.sampled_from([b"", b"\r", b" ", b"\x00", b"}"]),
)
any_record = st.one_of(
    planted.map(lambda each: each.record), crowded().map(lambda each: each.record), garbage, garbage, json_garbage,
    nested_garbage, mutated(), mutated(), cut_off().map(lambda each: each[1]), framed, clean_records(),
    st.binary(max_size=60),
).map(lambda record: record.replace(b"\n", b" "))  # fmt: skip
