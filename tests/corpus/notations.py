"""How records write a key and a value, or a value alone; and what such a piece stands in.

A notation returns text in which SLOT … END enclose the value with its quotes, and MAY_GO … GONE the member around it
where that may go as a whole.
It returns None for text that its writers would not, or not without quotes, write so.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from tests.corpus.draw import Draw
from tests.corpus.encodings import json_text

SLOT, END, MAY_GO, GONE = "\ue000", "\ue001", "\ue002", "\ue003"

Write: TypeAlias = Callable[[Draw, str, str], str | None]
"""(chance, key, text) → the piece."""


@dataclass(slots=True, frozen=True)
class Notation:
    name: str
    write: Write
    document: bool = False  # it is a JSON object of its own, not running text
    for_keys: bool = True
    for_shapes: bool = True
    header: bool = False  # keys are names of HTTP headers
    lines: bool = False  # more than one line


def _slot(text: str) -> str:
    return f"{SLOT}{text}{END}"


def _string(text: str) -> str:
    return f'"{json_text(text)}"'


# Running text


def _prose(draw: Draw, _key: str, text: str) -> str:
    return draw.rnd.choice(_SENTENCES).replace("{}", _slot(text))


_SENTENCES = ("user {} signed in", "{} is not known here", "could not reach {}", "sent to <{}>, 2 of 3", "({})")


def _colon(draw: Draw, key: str, text: str) -> str | None:
    """`key: value` in a sentence."""
    if re.search(r"[\s\"',;]", text):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"login failed for {key}: {_slot(text)}{draw.rnd.choice((', retrying', '', ' (2 of 3)', '; giving up'))}"


def _bare(text: str) -> bool:
    return not re.search(r"[\s\"'=&;,\\(){}\[\]<>]", text)


def _logfmt(draw: Draw, key: str, text: str) -> str | None:
    return f"at=info {key}={_slot(text)} status=200" if _bare(text) else None


def _logfmt_quoted(draw: Draw, key: str, text: str) -> str:
    return f"at=info {key}={_slot(_string(text))} status=200"


def _single_quoted(draw: Draw, key: str, text: str) -> str | None:
    return f"set {key}={_slot(repr_single(text))} ok" if "\\" not in text else None


def repr_single(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _form_value(draw: Draw, text: str) -> str:
    """Encoded as little as may be, or as browsers do; what is encoded already stays so."""
    if re.search(r"%[0-9A-Fa-f]{2}|^[^ ]*[+][^ ]*$", text):
        return quote(text, safe="%@:/!$*,;~+")
    return quote(text, safe=draw.rnd.choice(("", "@:/!$*,~()")))


def _query(draw: Draw, key: str, text: str) -> str:
    return f'"GET /signup?plan=pro&{key}={_slot(_form_value(draw, text))}&src=ad HTTP/1.1" 200'


def _query_first(draw: Draw, key: str, text: str) -> str:
    return f"fetch https://shop.internal/items?{key}={_slot(_form_value(draw, text))} took 3 ms"


def _query_raw(_draw: Draw, key: str, text: str) -> str | None:
    """As JavaScript encodes it: an apostrophe stays."""
    if "'" not in text:
        return None
    return f"GET /signup?plan=pro&{key}={_slot(quote(text, safe=_STAYS))}&src=ad 200"


_STAYS = "!'()*~"


def _form(draw: Draw, key: str, text: str) -> str:
    return f"body: plan=pro&{key}={_slot(_form_value(draw, text))}&remember=1"


def _cookie(draw: Draw, key: str, text: str) -> str | None:
    """One cookie among others; the default policy takes the whole header for personal."""
    if re.search(r"[\s\";,\\]", text):
        return None
    return f"Cookie: {_slot(f'theme=dark; {key}={text}; lang=en')}"


def _cookie_pair(draw: Draw, key: str, text: str) -> str | None:
    """Cookies without the header's name."""
    return None if re.search(r"[\s\"'&;,\\]", text) else f"jar theme=dark; {key}={_slot(text)}; lang=en"


def _headers(draw: Draw, key: str, text: str) -> str | None:
    if "\n" in text:
        return None
    name = "-".join(map(str.title, key.split("_"))) if key.islower() else key
    return f"GET / HTTP/1.1\r\nHost: shop.internal\r\n{name}: {_slot(text)}\r\nAccept: */*"


def _curl(draw: Draw, key: str, text: str) -> str | None:
    return None if '"' in text or "\\" in text else f'curl -s -H "{key}: {_slot(text)}" http://cart:8080/'


def _python(draw: Draw, key: str, text: str) -> str:
    return f"got {{'id': 17, {key!r}: {_slot(repr(text))}, 'ok': True}}"


def _python_object(draw: Draw, key: str, text: str) -> str:
    return f"loaded User(id=17, {key}={_slot(repr(text))}, ok=True)"


def _ruby(draw: Draw, key: str, text: str) -> str:
    sign = draw.rnd.choice((f":{key}=>", f'"{key}"=>', f"{key}: ", f'"{key}" => '))
    member = f"{{{sign}{_slot(_string(text))}, :id=>17}}"
    if sign.startswith('"'):  # it may go like one of JSON
        member = f"{{{MAY_GO}{sign}{_slot(_string(text))}, {GONE}:id=>17}}"
    return f"Parameters: {member}"


def _go_map(draw: Draw, key: str, text: str) -> str | None:
    return f"state map[id:17 {key}:{_slot(text)} ok:true]" if _bare(text) else None


def _go_struct(draw: Draw, key: str, text: str) -> str | None:
    name = "".join(map(str.title, key.split("_"))) if key.islower() else key
    return f"state {{ID:17 {name}:{_slot(text)} OK:true}}" if _bare(text) else None


def _go_syntax(draw: Draw, key: str, text: str) -> str:
    name = "".join(map(str.title, key.split("_"))) if key.islower() else key
    return f"state main.User{{ID:17, {name}:{_slot(_string(text))}, OK:true}}"


def _java_map(draw: Draw, key: str, text: str) -> str | None:
    if re.search(r"[\n,={}]", text):
        return None
    return f"state {{id=17, {key}={_slot(text)}, ok=true}}"


def _java_object(draw: Draw, key: str, text: str) -> str | None:
    if re.search(r"[\n,=()\[\]]", text):
        return None
    return draw.rnd.choice(
        (f"state User[id=17, {key}={_slot(text)}, ok=true]", f"state User(id=17, {key}={_slot(text)})")
    )


def _xml_element(draw: Draw, key: str, text: str) -> str:
    return f"<user><id>17</id><{key}>{_slot(_xml(text))}</{key}></user>"


def _xml_attribute(draw: Draw, key: str, text: str) -> str:
    entities = re.search(r"&#?\w+;", text)
    quoted = '"' + text.replace('"', "&quot;") + '"' if entities else quoteattr(text)
    return f"<user id='17' {key}={_slot(quoted)}/>"


def _xml(text: str) -> str:
    return text if re.search(r"&#?\w+;", text) else escape(text)


def _sql_where(draw: Draw, key: str, text: str) -> str:
    quoted = "'" + text.replace("'", "''") + "'"
    return f"SELECT id FROM users WHERE {key} {draw.rnd.choice(('= ', '=', 'LIKE ', '<> '))}{_slot(quoted)} LIMIT 1"


def _sql_set(draw: Draw, key: str, text: str) -> str:
    quoted = "'" + text.replace("'", "''") + "'"
    return f"UPDATE users SET {key} = {_slot(quoted)}, seen = 3 WHERE id = 17"


def _sql_values(draw: Draw, key: str, text: str) -> str:
    return "INSERT INTO notes (id, note) VALUES (17, " + _slot("'" + text.replace("'", "''") + "'") + ")"


def _stack_trace(draw: Draw, key: str, text: str) -> str:
    return (
        f"java.lang.IllegalStateException: rejected {key}={_slot(_string(text))}"
        "\n\tat com.shop.Users.find(Users.java:88)\n\tat com.shop.Main.main(Main.java:12)"
        "\nCaused by: java.io.IOException: closed"
    )


def _python_trace(draw: Draw, key: str, text: str) -> str:
    return (
        'Traceback (most recent call last):\n  File "/app/users.py", line 88, in find\n    raise KeyError(name)\n'
        f"ValueError: {key}: {_slot(_string(text))}"
    )


def _yaml(draw: Draw, key: str, text: str) -> str:
    return f"config:\n  id: 17\n  {key}: {_slot(_string(text))}\n  ok: true"


def _flag(draw: Draw, key: str, text: str) -> str | None:
    return f"exec: tool --{key.replace('_', '-')}={_slot(text)} --verbose" if _bare(text) else None


def _flag_word(draw: Draw, key: str, text: str) -> str | None:
    return f"exec: tool --{key.replace('_', '-')} {_slot(text)} --verbose" if _bare(text) else None


# JSON


def _object(draw: Draw, *members: str, slot: int) -> str:
    """An object of these members; the one at `slot` may go, and the commas beside it."""
    space = draw.rnd.choice(("", "", " "))
    comma = f",{space}"
    before, member, after = members[:slot], members[slot], members[slot + 1 :]
    head = comma.join(before) + MAY_GO + (comma if before else "")
    tail = (comma if after else "") + GONE + comma.join(after)
    return "{" + head + member + tail + "}"


def _member(draw: Draw, key: str, value: str) -> str:
    members = [
        '"level":"info"',
        '"n":1.10',
        '"ok":true',
        f'"{json_text(key)}":{draw.rnd.choice(("", "", " "))}{_slot(value)}',
    ]
    slot = draw.rnd.randrange(4)
    members.insert(slot, members.pop())
    return _object(draw, *members, slot=slot)


def _scalar(draw: Draw, key: str, text: str) -> str:
    return _member(draw, key, _string(text))


def _number(draw: Draw, key: str, text: str) -> str | None:
    return _member(draw, key, text) if text.isascii() and text.isdigit() and not text.startswith("0") else None


def _object_value(draw: Draw, key: str, text: str) -> str:
    inner = draw.rnd.choice(('{"kind":"home","value":%s}', '{"value":%s}', '{"a":{"b":[%s]}}')) % _string(text)
    return _member(draw, key, inner)


def _array_value(draw: Draw, key: str, text: str) -> str:
    return _member(draw, key, draw.rnd.choice(("[%s]", '["-",%s]', "[[%s],1]", '[{"v":%s}]')) % _string(text))


def _dotted(draw: Draw, key: str, text: str) -> str:
    return _member(draw, f"user.{key}", _string(text))


def _key_itself(draw: Draw, _key: str, text: str) -> str:
    """The value as the name of a member: a map by address."""
    return '{"level":"info",' + f'"{_slot(json_text(text))}":3,"ok":true' + "}"


def _sentence(draw: Draw, _key: str, text: str) -> str:
    return '{"level":"info",' + f'"msg":"user {_slot(json_text(text))} signed in","ok":true' + "}"


def _broken(draw: Draw, key: str, text: str) -> str:
    """JSON that was cut off behind the value."""
    return '{"level":"info","user":{' + f'{MAY_GO}"{json_text(key)}":{_slot(_string(text))},{GONE}"ok":tr'


NOTATIONS: tuple[Notation, ...] = (
    Notation("JSON string", _scalar, document=True),
    Notation("JSON number", _number, document=True),
    Notation("JSON object as value", _object_value, document=True),
    Notation("JSON array as value", _array_value, document=True),
    Notation("JSON dotted key", _dotted, document=True),
    Notation("JSON, in a sentence", _sentence, document=True, for_keys=False),
    Notation("JSON key itself", _key_itself, document=True, for_keys=False),
    Notation("JSON, cut off", _broken),
    Notation("prose", _prose, for_keys=False),
    Notation("key: value", _colon),
    Notation("logfmt", _logfmt),
    Notation("logfmt, quoted", _logfmt_quoted),
    Notation("key='value'", _single_quoted),
    Notation("query string", _query),
    Notation("query string, first", _query_first),
    Notation("query string, apostrophes", _query_raw, for_shapes=False),
    Notation("form body", _form),
    Notation("Cookie header", _cookie),
    Notation("cookie pairs", _cookie_pair),
    Notation("header dump", _headers, header=True, lines=True),
    Notation("curl -H", _curl, header=True),
    Notation("Python dict", _python),
    Notation("Python object", _python_object),
    Notation("Ruby hash", _ruby),
    Notation("Go map", _go_map),
    Notation("Go struct", _go_struct),
    Notation("Go syntax (%#v)", _go_syntax),
    Notation("Java map", _java_map),
    Notation("Java object", _java_object),
    Notation("XML element", _xml_element),
    Notation("XML attribute", _xml_attribute),
    Notation("SQL WHERE", _sql_where),
    Notation("SQL SET", _sql_set),
    Notation("SQL VALUES", _sql_values, for_keys=False),
    Notation("Java stack trace", _stack_trace, lines=True),
    Notation("Python traceback", _python_trace, lines=True),
    Notation("YAML", _yaml, lines=True),
    Notation("--flag=value", _flag),
    Notation("--flag value", _flag_word),
)


# What a piece stands in


@dataclass(slots=True, frozen=True)
class Frame:
    """`depth`: how many JSON strings the piece stands in."""

    name: str
    wrap: Callable[[Draw, str], str]
    document: bool | None = None  # for pieces that are JSON objects alone, for text alone, or for both
    json: bool = True  # the record is JSON
    strings: bool = True  # the piece stands in a JSON string, where line ends are escaped


def _line(draw: Draw, piece: str) -> str:
    return f"2026-11-25T10:{draw.rnd.randrange(60):02}:07.{draw.rnd.randrange(1000):03}Z INFO [main] {piece}"


def _record(_draw: Draw, piece: str) -> str:
    return piece


def _deep(draw: Draw, piece: str) -> str:
    return '{"ts":1790000000.5,"ctx":{"list":[{"id":7},' + piece + '],"more":{"x":null}},"z":[1,2]}'


def _message(draw: Draw, piece: str) -> str:
    return draw.rnd.choice(('{"level":"warn","msg":%s,"n":3}', '{"msg":%s}', '{"a":[%s,"b"],"n":1e3}')).replace(
        "%s", _string(piece)
    )


def _logged(draw: Draw, piece: str) -> str:
    return '{"log":' + _string(piece + "\n") + ',"stream":"stdout","n":2}'


def _logged_twice(draw: Draw, piece: str) -> str:
    return _logged(draw, _logged(draw, piece))


FRAMES: tuple[Frame, ...] = (
    Frame("record", _record, document=True, strings=False),
    Frame("deep", _deep, document=True, strings=False),
    Frame("in a text line", _line, json=False, strings=False),
    Frame("in a JSON string", _message, document=False),
    Frame("JSON in JSON", _logged, document=True),
    Frame("JSON in JSON in JSON", _logged_twice, document=True),
    Frame("text in JSON in JSON", lambda draw, it: _logged(draw, _message(draw, it)), document=False),
    Frame("text in JSON in JSON in JSON", lambda draw, it: _logged_twice(draw, _message(draw, it)), document=False),
)  # fmt: skip


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
