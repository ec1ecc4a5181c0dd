"""Tier 2: per hit, a look at a bounded window around it. Finds exact spans, or doubts.

Works on the raw block, over all its records at once. A doubt sends one record to the reference path; that is where
escapes, objects as values, quotes in text and overlapping findings are settled. What is decided here is decided
exactly as the reference path would (property-tested).
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import itemgetter

from scrubbers.actions import in_token
from scrubbers.detectors.detector import FOLD, TAIL
from scrubbers.encodings import MAX_DEPTH, decode, embedded, readings
from scrubbers.notations.assignment import ASSIGN, bare_value, names_before
from scrubbers.notations.named import may_be_named, named_value
from scrubbers.plan import BASE64, END, GUARDED, KEY, WHAT, Hit, Plan, Rule
from scrubbers.splice import Finding, standing

# A JSON member behind its name, up to the next or to the closing brace. What begins with `[` may be a token.
_MEMBER = re.compile(rb'"[ \t]*:[ \t]*(?:"(?!\[)[^"\\\n]*"|[-+.0-9A-Za-z]+)(?:[ \t]*,[ \t]*|(?=[ \t]*\}))').match
_MEMBER_VALUE = re.compile(rb'"[ \t]*:[ \t]*("[^"\\\n]*"|[-+.0-9A-Za-z]+)(?:[ \t]*,[ \t]*|(?=[ \t]*\}))').match
_INNER_MEMBER = re.compile(rb'\\"[ \t]*:[ \t]*(\\"[^"\\\n]*\\"|[-+.0-9A-Za-z]+)(?:[ \t]*,[ \t]*|(?=[ \t]*\}))').match
_start = itemgetter(0)
_COLON = re.compile(rb"\"\s*[:=]").match
_QUOTED = re.compile(rb"'\s*[:=]|%").match
_MAY_BE_ENCODED = re.compile(rb"[%&\x80-\xff]").search
_KEEP_WINDOW = 128
_HEX = b"0123456789abcdefABCDEF-"
_AROUND_KEY = b"\\\"' \t"
_IN_KEPT = bytes(byte for byte in range(256) if byte not in b"\\\"' \t\r\n:=,;&")
_ALNUM = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_OPENS = _ALNUM | frozenset(b"+")  # what a guard that was not there may stand before
_CLOSES = _ALNUM | frozenset(b".-:/_*\\")  # and behind; or inside one of our tokens; or half an escape is taken
# Behind what stays in part: what is left of it makes nothing new with what follows.
_PARTS = frozenset(b'"\t\r\n,;&}])')
_BEFORE_PARTS = frozenset(b'"\t\n=[(,')  # and before what is truncated
_LETTERS_COLON = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:,")
_PORT = re.compile(rb":[0-9]{1,5}(?=[ \"\n,;)/])").match
_NOT_GOING_ON = frozenset(b'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"-[{')
_BEFORE_KEY = frozenset(b"{,")
_BASE64_SIGNS = _ALNUM | frozenset(b"+/_-=")
_ENDS = frozenset(b"} \t")  # behind the last member of an object; behind a comma white space is covered
_ESCAPED_SPACE = (b"\\n", b"\\r", b"\\t")
_LONGEST_KEY = 96


class Locator:
    """Finds what is personal in a block of records."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._names = plan.names
        self._rules = plan.key_rules
        self._token, self._own = plan.token, plan.own_token

    def locate(self, text: bytes) -> tuple[list[Finding], list[int]]:
        r"""Findings that stand, sorted; and one offset in each record that the reference path must look at.

        `text` ends with `\n`. No finding lies in a doubtful record, and none reaches over a record's end.
        """
        hits = self._plan.scan(text)
        if not hits:
            return [], []
        findings: list[Finding] = []
        doubts: list[int] = []
        coded: list[int] = []
        for pattern, _ in self._plan.own:
            pattern.renew()
        self._walk(text, hits, findings, doubts, coded)
        findings, overlapping = standing(findings)
        doubts += overlapping
        for pattern, _ in self._plan.own:
            doubts += _in_records_with(findings, text, pattern.missed)
        if coded:
            self._decode(text, [hit >> END for hit in coded if not _seen(text, hit, findings)], doubts)
        if doubts:
            findings, doubts = _without_doubtful(text, findings, doubts)
        return findings, doubts

    def _walk(self, text: bytes, hits: list[Hit], findings: list[Finding], doubts: list[int], coded: list[int]) -> None:
        # The hot loop: bound locals, and the commonest notation (a JSON member) in line.
        member, keys, rules, before_key = _MEMBER, self._plan.keys, self._rules, _BEFORE_KEY
        finders, asked, ask, found = self._plan.finders, self._plan.asked, self._plan.ask, findings.append
        word, opens, closes = _ALNUM, _OPENS, _CLOSES
        covered = 0  # behind the closing quote of a member, nothing found there can reach further
        for hit in hits:
            end = hit >> END
            if end <= covered:
                continue
            what = hit & WHAT
            if what >= KEY:
                if text[end] != 0x22:
                    covered = self._text_key(text, end, findings, doubts)
                    continue
                size, number = keys[what - KEY]
                start = end - size - 1
                match = member(text, end)
                if match is None or number is None or text[start] != 0x22 or text[start - 1] not in before_key:
                    covered = self._member(text, end, findings, doubts)
                    continue
                covered = match.end()
                rule = rules[number]
                if not rule.delete:
                    self._member(text, end, findings, doubts)
                elif text[covered] in _ENDS:
                    _delete_last(text, start, covered, rule, findings)
                else:
                    found((start, covered, b"", rule))
                continue
            if what <= BASE64:
                coded.append(hit)
                continue
            if what == GUARDED:
                tail = text[end - TAIL if end > TAIL else 0 : end].translate(FOLD)
                looking = asked[tail] if tail in asked else ask(tail)
            else:
                looking = finders[what]
            for find, rule, token, anywhere in looking:
                span = find(text, end)
                if span is None:
                    continue
                start, stop = span
                if token is None or text[stop] in opens:
                    self._shape(text, start, stop, rule, findings, doubts)
                elif (
                    text[start - 1] not in closes
                    if anywhere
                    else text[start - 1] == 0x20
                    and text[start - 2] in word
                    and text[start - 3] != 0x5C
                    and text[start] in opens
                    and text.find(b"\n", start, stop) < 0
                ):
                    found((start, stop, token, rule))
                else:
                    self._shape(text, start, stop, rule, findings, doubts)

    def _member(self, text: bytes, end: int, findings: list[Finding], doubts: list[int]) -> int:
        """A JSON key that ends at `end`, and is not plainly a personal member; tells how far it was covered."""
        match = _MEMBER_VALUE(text, end)
        if match is None:
            return _doubt(text, end, doubts) if _COLON(text, end) else 0
        start = text.rfind(b'"', max(0, end - _LONGEST_KEY), end)
        return self._decide(text, start, start + 1, end, match, b'"', findings, doubts)

    def _inner_member(self, text: bytes, end: int, findings: list[Finding], doubts: list[int]) -> int:
        """The same in JSON in a JSON string, where quotes are escaped once."""
        match = _INNER_MEMBER(text, end)
        start = text.rfind(b'"', max(0, end - _LONGEST_KEY), end) - 1
        if match is None or start <= 0 or text[start] != 0x5C:
            return _doubt(text, end, doubts)
        return self._decide(text, start, start + 2, end, match, b'\\"', findings, doubts)

    def _decide(
        self,
        text: bytes,
        start: int,
        name_start: int,
        end: int,
        match: "re.Match[bytes]",
        quote: bytes,
        findings: list[Finding],
        doubts: list[int],
    ) -> int:
        name = text[name_start:end].lower()
        last = name[name.rfind(b".") + 1 :]
        number = None if b"[" in name else self._names.decide_whole(name)
        if number is None:
            if start < 0 or b"[" in name or self._names.may_end(last):
                return _doubt(text, end, doubts)
            return 0
        if start <= 0 or text[start - 1] not in _BEFORE_KEY:
            return _doubt(text, end, doubts)
        covered = match.end()
        value = match[1].removeprefix(quote).removesuffix(quote)
        if self._token.fullmatch(value):
            return covered  # final
        rule = self._rules[number]
        if not rule.delete:
            if _MAY_BE_ENCODED(value):
                doubts.append(end)  # the token is that of the value once it is decoded
            elif value and (replacement := rule.replace(value)) != value:
                findings.append((*match.span(1), quote + replacement + quote, rule))
        elif text[covered] in _ENDS:
            _delete_last(text, start, covered, rule, findings)
        else:
            findings.append((start, covered, b"", rule))
        return covered

    def _shape(self, text: bytes, start: int, end: int, rule: Rule, findings: list[Finding], doubts: list[int]) -> None:
        before = text[start - 1] if start else 0x0A
        if (
            rule.by_path
            or start == end  # the finder could not tell
            or text[end] in _OPENS
            or before in b".-\\"  # a backslash: of an escape that was taken for a letter, or the like
            or (before == 0x3A and text[start - 2] == 0x3A)
            or (before in _ALNUM and (start < 2 or text[start - 2] != 0x5C or before not in b"bfnrt"))
        ):
            doubts.append(start)  # once it is gone, what stands beside it has a guard that it had not
            return
        if rule.partial and not _apart(text, start, end, rule):
            doubts.append(start)
            return
        if self._token.fullmatch(text, start, end) or in_token(self._own, text, start, end):
            return  # final
        value = text[start:end]
        if b"\n" in value:
            _lines(text, start, end, rule, findings)
            return
        if b"\\" in value and rule.action != "replace":
            doubts.append(start)  # the token is that of the value once it is decoded
            return
        replacement = rule.replace(value)
        if replacement == value:
            return  # truncated before
        if before == 0x20 and text[start - 2] in _ALNUM and text[start - 3] != 0x5C:
            # Behind a word: no value of a key, and no JSON number.
            findings.append((start, end, replacement, rule))
            return
        if not rule.denied and (self._plan.keeps_all or not value.strip(_HEX)) and self._kept(text, start):
            doubts.append(start)
            return
        if rule.bare and before != 0x22 and value.isdigit():
            head = text[max(0, start - 16) : start]
            close = head.rstrip(b" \t")
            if close.endswith((b",", b"[", b"-", b"+", b".", *_ESCAPED_SPACE)):
                doubts.append(start)  # an element of an array, a part of a longer number, escaped white space
                return
            if close.endswith(b":"):
                name = close[:-1].rstrip(b" \t")
                odd = name.endswith((b'\\\\"', *_ESCAPED_SPACE)) or len(head) - len(close) > 8
                if odd or text[end] not in b",}] \t\r\n":
                    doubts.append(start)
                    return
                if name.endswith(b'"'):
                    quote = b'\\"' if name.endswith(b'\\"') else b'"'
                    replacement = quote + replacement + quote
            elif not close:
                doubts.append(start)
                return
        findings.append((start, end, replacement, rule))

    def _kept(self, text: bytes, start: int) -> bool:
        """Whether what begins at `start` is in the value of a key that may be kept."""
        if text[start - 3 : start] == b'":"' and text[start - 6 : start - 3].lower() not in self._plan.keep_tails:
            return False  # by far the commonest
        head = text[start - _KEEP_WINDOW if start > _KEEP_WINDOW else 0 : start].rstrip(_IN_KEPT)
        head = _without_space(head)
        if not head.endswith((b":", b"=")):
            return False
        head = _without_space(head[:-1])
        if head[-3:].lower() not in self._plan.keep_tails:
            return False
        may_end = self._plan.keep_names.may_end
        return any(may_end(name[name.rfind(b".") + 1 :]) for name in names_before(head, len(head)))

    def _text_key(self, text: bytes, end: int, findings: list[Finding], doubts: list[int]) -> int:
        """A key in another notation than a JSON member's; tells how far it was covered."""
        assign = ASSIGN.match(text, end)
        if assign is None:
            if text[end] == 0x5C and text[end + 1] == 0x22:
                return self._inner_member(text, end, findings, doubts)
            if text[end] == 0x5C or _QUOTED(text, end) or self._named(text, end):
                return _doubt(text, end, doubts)
            return 0
        if in_token(self._own, text, end - 1, end):
            return 0  # the name of a rule
        for name in names_before(text, end):
            last = name[name.rfind(b".") + 1 :]
            number = self._names.decide(last)
            if number is not None:
                break
            if self._names.may_end(last):
                return _doubt(text, end, doubts)
        else:
            return 0
        at = assign.end()
        if self._token.match(text, at):
            return 0  # final
        if text[at] in b"\"'\\{[<":
            return _doubt(text, at, doubts)
        span = bare_value(text, at, name, end - len(name), assign[1])
        if span is None:
            return 0
        value = text[at : span[1]]
        if text[span[1]] == 0x5C or b"\\" in value or b'"' in value or _MAY_BE_ENCODED(value):
            return _doubt(text, at, doubts)
        rule = self._rules[number]
        if (replacement := rule.replace(value)) != value:
            findings.append((*span, replacement, rule))
        return span[1]

    def _named(self, text: bytes, end: int) -> bool:
        """Whether the key there names a value without a sign of assignment."""
        return may_be_named(text, end) and any(
            named_value(text, end, name) is not None
            for name in names_before(text, end)
            if self._names.may_end(name[name.rfind(b".") + 1 :])
        )

    def _decode(self, text: bytes, coded: list[int], doubts: list[int]) -> None:
        """Doubt the records in which something shows once they are decoded."""
        starts: list[int] = []
        offsets: list[int] = []
        side: list[bytes] = []
        size = 0
        reached = 0
        for at in coded:
            if at <= reached:
                continue
            start = text.rfind(b"\n", 0, at) + 1
            reached = text.find(b"\n", at)
            plain = _says(text[start:reached])
            if plain is None:
                doubts.append(start)
                continue
            starts.append(start)
            offsets.append(size)
            side.append(plain)
            size += len(plain)
        seen = self._plan.scan(b"".join(side)) if side else []
        doubts += [starts[bisect_right(offsets, (hit >> END) - 1) - 1] for hit in seen if hit & WHAT > BASE64]


def _seen(text: bytes, hit: Hit, findings: list[Finding]) -> bool:
    """Whether what is encoded there is base64 in the middle of a finding, as in a token: it goes with that."""
    end = hit >> END
    if hit & WHAT != BASE64:
        return False
    at = bisect_right(findings, end, key=_start) - 1
    return at >= 0 and findings[at][1] > end and text[findings[at][1]] not in _BASE64_SIGNS


def _doubt(text: bytes, at: int, doubts: list[int]) -> int:
    """The record there is doubtful; nothing more of it needs to be looked at here, so it is covered to its end."""
    doubts.append(at)
    return text.find(b"\n", at)


def _says(record: bytes) -> bytes | None:
    """What a record says when it is decoded, reading by reading, in lines; None if it is encoded too deep."""
    texts = list(readings(record))
    if len(texts) >= MAX_DEPTH and decode(record) is None:
        return None
    for text in (record, *texts):
        for _, _, plain in embedded(text):
            texts += (plain, *readings(plain))
    return b"\n".join((*texts, b""))


def _apart(text: bytes, start: int, end: int, rule: Rule) -> bool:
    """Whether what stays of a value cannot become a part of something with what stands beside it."""
    if rule.action == "mask":  # begins with stars
        return text[end] in _PARTS
    left = text[start - 1] if start else 0x0A
    if left not in _BEFORE_PARTS and not (left == 0x20 and text[start - 2] in _LETTERS_COLON):
        return False
    if text[end] == 0x20:
        return text[end + 1] in _NOT_GOING_ON
    return text[end] in _PARTS or _PORT(text, end) is not None


def _without_space(head: bytes) -> bytes:
    """Without quotes and white space at its end, escaped or not."""
    head = head.rstrip(_AROUND_KEY)
    while head.endswith(_ESCAPED_SPACE):
        head = head[:-1].rstrip(_AROUND_KEY)
    return head


def _delete_last(text: bytes, start: int, end: int, rule: Rule, findings: list[Finding]) -> None:
    """The last member of an object goes, and with it the comma before it, where all between them goes too."""
    if text[start:end].rstrip(b" \t").endswith(b","):  # not the last one, but for a comma too many
        findings.append((start, end, b"", rule))
        return
    first, at = start, len(findings)
    while at and findings[at - 1][1] == first and not findings[at - 1][2]:
        at -= 1
        first = findings[at][0]
    if text[first - 1] != 0x2C:
        findings.append((start, end, b"", rule))
    elif first == start:
        findings.append((start - 1, end, b"", rule))
    else:
        findings.insert(at, (first - 1, first, b"", None))
        findings.append((start, end, b"", rule))


def _lines(text: bytes, start: int, end: int, rule: Rule, findings: list[Finding]) -> None:
    """A thing over many lines is replaced line by line: the number of records stays."""
    while start < end:
        stop = text.find(b"\n", start, end)
        stop = end if stop < 0 else stop
        if stop > start:
            findings.append((start, stop, rule.replace(text[start:stop]), rule))
        start = stop + 1


def _in_records_with(findings: list[Finding], text: bytes, places: list[int]) -> Iterator[int]:
    """Those of the places, in ascending order, in whose record something was found."""
    starts = [finding[0] for finding in findings]
    end = -1
    for place in places:
        if place - 1 <= end:
            continue
        start, end = text.rfind(b"\n", 0, place - 1) + 1, text.find(b"\n", place - 1)
        at = bisect_left(starts, start)
        if at < len(starts) and starts[at] < end:
            yield place


def _without_doubtful(text: bytes, findings: list[Finding], doubts: list[int]) -> tuple[list[Finding], list[int]]:
    records: list[tuple[int, int]] = []
    reached = -1
    for at in sorted(doubts):
        if at > reached:
            start = text.rfind(b"\n", 0, at) + 1
            reached = text.find(b"\n", at)
            records.append((start, reached))
    kept: list[Finding] = []
    number = 0
    for finding in findings:
        while number < len(records) and records[number][1] < finding[0]:
            number += 1
        if number == len(records) or finding[1] <= records[number][0]:
            kept.append(finding)
    return kept, [start for start, _ in records]
