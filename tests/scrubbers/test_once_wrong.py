# ruff: noqa: E501 — records stay in one piece
r"""Records that the engine once got wrong, in their smallest form: what the property tests find ends here."""

import pytest
from engine import by_engine, by_reference

from scrubbers.encodings import MAX_DEPTH

WRONG: list[tuple[str, bytes, bytes]] = [
    # Keys of JSON are decoded before they are looked at.
    ("default", rb'{"\u0041KIAIOSFODNN7EXAMPLE":1}', b'{"[REDACTED:aws_access_key]":1}'),
    ("default", b'{"[REDACTED:email] bob@x.io":1}', b'{"[REDACTED:email] [REDACTED:email]":1}'),
    ("default", rb'{"[REDACTED:email] b\u006fb@x.io":1}', b'{"[REDACTED:email] [REDACTED:email]":1}'),
    # White space between a key and its sign may be an escape.
    ("default", rb'{"log":"{\"password\"\t:\"hunter2\"}"}', b'{"log":"{}"}'),
    ("default", rb'{"a":"password\t=\thunter2"}', rb'{"a":"password\t=\t[REDACTED:password]"}'),
    # A slash may be escaped, also where no URL begins.
    ("default", rb'{"u":"{\"u\":\"http:\\/\\/u:pass1@h\\/x\"}"}', rb'{"u":"{\"u\":\"http:\\/\\/u:[REDACTED:url_password]@h\\/x\"}"}'),
    ("default", rb'{"a":"hooks.slack.com\/services\/T0ABCDEF1\/B0ABCDEF1\/a1b2c3d4a1b2c3d4"}', rb'{"a":"hooks.slack.com\/services\/[REDACTED:slack_token]"}'),
    ("default", rb'{"a":"Bearer abc\/defghijklmnopqrstuvwxyz12345"}', b'{"a":"Bearer [REDACTED:http_credentials]"}'),
    ("default", rb'{"a":"Basic dXNlcjpwYXNz\/abc=="}', b'{"a":"Basic [REDACTED:http_credentials]"}'),
    ("default", rb'{"a":"a\/b@x.io"}', b'{"a":"[REDACTED:email]"}'),
    # JSON that is cut off: a small document inside does not cut the text around it.
    ("default", rb'{"m":"{\"password\":\"abc [1] def\"}","x":', rb'{"m":"{}","x":'),
    # A backslash before a letter is not always an escape.
    ("default", rb'{"a":"CORP\\bob@x.io"}', rb'{"a":"CORP\\[REDACTED:email]"}'),
    ("default", rb'{"a":"CORP\\b@x.io"}', rb'{"a":"CORP\\[REDACTED:email]"}'),
    # Bare numbers, whatever stands between them and their key.
    ("default", b'{"a" :4111111111111111}', b'{"a" :"[REDACTED:payment_card]"}'),
    ("default", rb'"log":"{\"a\":4111111111111111}\n","x":1', rb'"log":"{\"a\":\"[REDACTED:payment_card]\"}\n","x":1'),
    ("default", rb'{"log":"[\n  4111111111111111\n]"}', rb'{"log":"[\n  \"[REDACTED:payment_card]\"\n]"}'),
    ("default", rb'{"log":"{\"a\":\n 4111111111111111}"}', rb'{"log":"{\"a\":\n \"[REDACTED:payment_card]\"}"}'),
    ("default", rb'{"log":"{\"a\"\t:4111111111111111}"}', rb'{"log":"{\"a\"\t:\"[REDACTED:payment_card]\"}"}'),
    # Empty values.
    ("default", b',"email":"",', b","),
    ("actions", b'{"email":""}', b'{"email":""}'),
    # Guards that appear once a finding is gone.
    ("default", b"2000:0::g@0.AA", b"[REDACTED:ipv6][REDACTED:email]"),
    # Masks hold nothing that a notation could take for its own.
    ("keeps", rb'{"password":"ab\ncd"}', b'{"password":"*****"}'),
    ("keeps", rb'{"password":"abcd\"ef"}', b'{"password":"*******"}'),
    # The line before, or the record before, has no say.
    ("default", rb'{"m":"trace_id=4bf92f3577b34da6a3ce929d0e0e4736\nAKIAIOSFODNN7EXAMPLE"}', rb'{"m":"trace_id=4bf92f3577b34da6a3ce929d0e0e4736\n[REDACTED:aws_access_key]"}'),
    ("default", rb'{"m":"dead:\n2a02:8071:1234::1"}', rb'{"m":"dead:\n[REDACTED:ipv6]"}'),
    ("default", b"dead:\n2a02:8071:1234::1", b"dead:\n[REDACTED:ipv6]"),
    # Names of several words and segments.
    ("default", rb'{"a":"x\npass word=hunter2"}', rb'{"a":"x\npass word=[REDACTED:password]"}'),
    ("default", b'{"db":{"statement":{"parameters":"hunter2"}},"x":', b'{"db":{"statement":{}},"x":'),
    ("default", b"[1] " * 64 + b'{"db":{"statement":{"parameters":"hunter2"}}}', b"[1] " * 64 + b'{"db":{"statement":{}}}'),
    # What is open where JSON is cut off belongs to its key; and a key whose value is no JSON is text.
    ("default", b'{"bob@x.io":Aw":1}', b'{"[REDACTED:email]":Aw":1}'),
    ("default", b'{"email":hunter2, "x":1}', b'{"x":1}'),
    ("default", b'{"n":1,"email":"hunter2","b":tru', b'{"n":1,"b":tru'),
    ("default", b'{"a":1,"email":', b'{"a":1'),
    ("actions", b'{"a":1,"email": ', b'{"a":1,"email": '),
    ("default", b'{"a":"x""email":}', b'{"a":"x""email":}'),
    # White space before the brace is not of the member.
    ("default", b'{"a":1,"email":"x" }', b'{"a":1 }'),
    ("default", rb'{"m":"{\"email\":\"x\" }"}', rb'{"m":"{ }"}'),
    # Identifiers are kept, however white space around them is written.
    ("default", rb'{"log":"{\"traceid\":\t\"4000000000000002\"}\n"}', rb'{"log":"{\"traceid\":\t\"4000000000000002\"}\n"}'),
    # Our own tokens are final in a URL, too.
    ("default", b"://[REDACTED:email]@", b"://[REDACTED:email]@"),
    # Credentials, however they are written.
    ("default", b"Basic dXNlcjpwYXNzdw===", b"Basic [REDACTED:http_credentials]="),
    ("default", b"Basic dT8_Pjp-fn5-", b"Basic [REDACTED:http_credentials]"),
    ("default", b'Authorization: Digest username="bob", response="hunter2"', b"Authorization: [REDACTED:authorization]"),
    ("default", rb'{"m":"Authorization: Token token=\"hunter2\""}', b'{"m":"Authorization: [REDACTED:authorization]"}'),
    # A letter of the name is left where it belongs, and a value where it ends, in each notation.
    ("default", b"tool --password hunter2 --api-key \"a b\" x", b"tool --password [REDACTED:password] --api-key \"[REDACTED:api_key]\" x"),
    # A letter behind a backslash, in JSON in a string: the escape of the inner string.
    ("default", rb'{"":"{\"\":\"\\r@0.Aa\"}"}', rb'{"":"{\"\":\"\\r@0.Aa\"}"}'),
    # A key and a detector that find the same: the key wins.
    ("default", b"dob=1985-03-02", b"dob=[REDACTED:dob]"),
    ("default", b'{"m":"Vorname: Anna, first name: Anna"}', b'{"m":"Vorname: [REDACTED:person_name], first name: [REDACTED:first_name]"}'),
    ("actions", b"ssn=536-81-7623", b"ssn=***-**-7623"),
    ("default", b"sent to <passport 533380006>, 2 of 3", b"sent to <passport [REDACTED:passport]>, 2 of 3"),
    ("default", b"<u><password>a b</password><ns:ssn k=\"1\">17 22</ns:ssn></u>", b"<u><password>[REDACTED:password]</password><ns:ssn k=\"1\">[REDACTED:ssn]</ns:ssn></u>"),
    ("default", b"WHERE full_name LIKE 'Rouven Frey' AND u.email IN ('a b','c''d') LIMIT 1", b"WHERE full_name LIKE '[REDACTED:full_name]' AND u.email IN ([REDACTED:email]) LIMIT 1"),
    ("default", b"SET pass_phrase = 'manager'' better', seen = 3", b"SET pass_phrase = '[REDACTED:pass_phrase]', seen = 3"),
    ("default", b"User[id=17, full_name=Anna Maria Smith, ok=true]", b"User[id=17, full_name=[REDACTED:full_name], ok=true]"),
    ("default", b'curl -H "Full-Name: Karine Moser" x', b'curl -H "Full-Name: [REDACTED:full_name]" x'),
    ("default", b"?a=1&password=let'%20gas'&b=2", b"?a=1&password=[REDACTED:password]&b=2"),
    ("default", b"user[password]=hunter2&b=2", b"user[password]=[REDACTED:password]&b=2"),
    ("default", b"WHERE `email` = 'x y'", b"WHERE `email` = '[REDACTED:email]'"),
    ("default", b"map[id:17 secret:/f!?4$k ok:true]", b"map[id:17 secret:[REDACTED:secret] ok:true]"),
    ("default", b"ssl.keystore.password = null", b"ssl.keystore.password = null"),
    ("default", b"bob@x.io-password=x", b"[REDACTED:email]-password=x"),
    # Encodings.
    ("default", b"to bob&#64;x.io and bob&commat;x.io", b"to [REDACTED:email] and [REDACTED:email]"),
    ("default", "to bob＠x.io and 4111\u200b1111\u200b1111\u200b1111".encode(), b"to [REDACTED:email] and [REDACTED:payment_card]"),
    ("default", b"data=Ym9iLnNtaXRoQGV4YW1wbGUuY29t&x=1", b"data=[REDACTED:email]&x=1"),
    ("default", b"x=eyJ0cmFjZV9pZCI6IjQwMDAwMDAwMDAwMDAwMDIiLCJlbWFpbCI6ImJvYkB4LmlvIn0=", b"x=[REDACTED:email]"),  # with a trace id that is kept
    ("default", b"ref=DE89+3704+0044+0532+0130+00&a=1", b"ref=[REDACTED:iban]&a=1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "record", "left"),
    WRONG,
)
def test_it_is_right_now(policy: str, record: bytes, left: bytes) -> None:
    assert by_engine(record + b"\n", policy)[0] == left + b"\n"
    assert by_reference(record + b"\n", policy) == by_engine(record + b"\n", policy)


def test_what_is_escaped_deeper_than_is_decoded_is_quarantined_by_both_paths() -> None:
    record = b"bob" + b"\\" * (2 << MAX_DEPTH) + b"u0040x.io\n"
    assert by_engine(record) == by_reference(record) == (b"", {}, (0,))


def test_backslashes_that_hide_nothing_pass_however_many() -> None:
    record = b"@" + b"\\" * (1 << MAX_DEPTH) + b'"\n'
    assert by_engine(record) == by_reference(record) == (record, {}, ())


CUT_OFF = (
    rb'{"e\u006dail":{"a":"hunter2","b":1',
    b'{"email":["hunter2",{"x":["y z',
    b'{"email":hunter2 x}',
    b'{"db":{"statement":{"parameters":"hunter2 and',
    b'{"db":{"statement":{"parameters":{"a":"hunter2", "b":"xyz',
    rb'{"m":"{\"e\\u006dail\":{\"a\":\"hunter2\",\"b\":1',
    rb'{"m":"{\"password\":\"hunter2 and',
    rb'{"x":"pwd=\"hunter2\" and',
    rb'["\u0070wd\u003d\u0022hunter2\u0022',
)


@pytest.mark.parametrize("record", CUT_OFF)
def test_a_personal_value_that_is_cut_off_goes(record: bytes) -> None:
    assert b"hunter2" not in by_engine(record + b"\n")[0]
    assert by_engine(record + b"\n") == by_reference(record + b"\n")


def test_a_last_record_that_is_quarantined_takes_no_newline_of_another() -> None:
    record = b"bob" + b"\\" * (2 << MAX_DEPTH) + b"u0040x.io"
    assert by_engine(b"a\n" + record) == (b"a\n", {}, (1,))
