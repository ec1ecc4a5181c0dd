"""Tier 3: one record, looked at in full. Exact by construction, and what tier 2 is measured against.

A record is unfolded into views: the strings of its JSON, what they say once decoded, the JSON inside them, and so on.
Every view knows for each of its bytes where in the record it comes from, so that a finding in any of them is a span of
the record. Scrubbing repeats until nothing is found: what stood beside a finding may have got its guard only now.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from scrubbers.actions import in_token
from scrubbers.detectors.detector import Span
from scrubbers.encodings import ENCODINGS, JSON, MAX_DEPTH, Encoding, decode, decode_mapped, embedded, spaced
from scrubbers.matching import Unscrubbable
from scrubbers.notations.assignment import ASSIGN, bare_value, names_before
from scrubbers.notations.json_document import Document, Member, documents
from scrubbers.notations.named import may_be_named, named_value
from scrubbers.notations.quoted import BARE, quoted_key, value_at
from scrubbers.plan import BASE64, END, KEY, WHAT, Plan, Rule
from scrubbers.splice import Finding, rank, splice
from scrubbers.views import Paths, View, around, escaped, nowhere, segments, within

_ROUNDS = 12
_COMMA = re.compile(rb"[ \t]*,[ \t]*").match
_MOST, _MOST_LEFT = 20_000, 1_000  # findings in one record, in the first round and later: more are no accident


class Reference:
    """Scrubs single records."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._token, self._own_token = plan.token, plan.own_token

    def scrub(self, record: bytes) -> tuple[bytes, list[Rule]]:
        """The record made clean, and the rules that found something; raises Unscrubbable."""
        counted: list[Rule] = []
        for number in range(_ROUNDS):
            findings, settled = self._pass(record)
            if number and len(findings) > _MOST_LEFT:
                break
            findings = [each for each in findings if record[each[0] : each[1]] != each[2]]
            counted += [rule for _, _, _, rule in findings if rule is not None]
            # A pattern of the policy may look at anything: it looks again at what is left.
            settled = settled and not (findings and self._plan.own)
            settled = settled and not any(
                _beside(record, start, end) or (rule is not None and rule.partial) for start, end, _, rule in findings
            )
            record = splice(record, findings)
            if settled:
                return record, counted
        raise Unscrubbable("unstable")

    def find(self, record: bytes) -> list[Finding]:
        """What one pass finds: sorted, without overlaps. Longer findings win over shorter ones."""
        return self._pass(record)[0]

    def _pass(self, record: bytes) -> tuple[list[Finding], bool]:
        """What one pass finds, and whether nothing that it found lay partly in something else."""
        findings: list[Finding] = []
        kept: list[Span] = []
        leaves: list[View] = []
        self._unfold(View(record, range(len(record) + 1)), leaves, findings, kept)
        for leaf, hits in self._scan(leaves):
            if leaf.scalar:
                self._scalar(leaf, hits, findings, record)
            else:
                self._text(leaf, hits, findings, record)
        if len(findings) > _MOST:
            raise Unscrubbable("too many findings")
        return _longest(findings, kept)

    # Unfolding

    def _unfold(self, view: View, leaves: list[View], findings: list[Finding], kept: list[Span]) -> None:
        pending = [view]
        while pending:
            view = pending.pop()
            text = view.text
            if view.literal and JSON.unit.search(text):
                pending.extend(self._decode(view, (JSON,), view.quotes))
                continue
            inner: list[Span] = []
            if b"{" in text or b"[" in text:
                hits = None
                gone = 0  # behind what is open and personal in a broken document
                for document in documents(text):
                    if not document.broken:  # else it is text, too
                        inner.append((document.start, document.end))
                    hits = hits or _Hits(text, self._plan.scan(text + b"\n"))
                    if document.start >= gone:
                        gone = self._document(view, document, hits, pending, leaves, findings, kept)
            view.documents = inner
            leaves.append(view)
            pending.extend(self._decoded(view))

    def _decoded(self, view: View) -> Iterator[View]:
        text = view.text
        if any(each.unit.search(text, *gap) for gap in _between(text, view.documents) for each in ENCODINGS):
            yield from self._decode(view, ENCODINGS, view.quotes + (JSON.unit.search(text) is not None))
        if not view.spaced and (form := spaced(text)) != text:
            reading = view.part(0, len(text), view.path)
            reading.text, reading.depth, reading.spaced = form, view.depth + 1, True
            yield reading
        if view.whole is None:
            for start, end, plain in embedded(text):
                if within(start, view.documents):
                    continue
                whole = view.span(start, end)
                offsets = array("L", [whole[0]]) * len(plain)
                offsets.append(whole[1])
                yield View(plain, offsets, view.depth + 1, path=view.path, whole=whole)

    def _decode(self, view: View, encodings: Sequence[Encoding], quotes: int) -> Iterator[View]:
        text, inner = decode_mapped(view.text, encodings)
        if text == view.text:
            return
        if view.depth >= MAX_DEPTH:
            # Without an introducer, decoding shows nothing that is not seen already.
            if any(hit & WHAT <= BASE64 for hit in self._plan.scan(view.text + b"\n")):
                plain = decode(view.text)
                if plain is None or any(hit & WHAT > BASE64 for hit in self._plan.scan(plain + b"\n")):
                    raise Unscrubbable("encoded too deep")
            return
        offsets = array("L", map(view.offsets.__getitem__, inner))
        yield View(text, offsets, view.depth + 1, quotes, path=view.path, whole=view.whole, spaced=view.spaced)

    def _document(
        self,
        view: View,
        document: Document,
        hits: "_Hits",
        pending: list[View],
        leaves: list[View],
        findings: list[Finding],
        kept: list[Span],
    ) -> int:
        """What its members say; tells how far it is gone, if it is broken and goes with what follows it."""
        gone: list[Span] = []
        gone_to = 0
        names = self._plan.names
        path_at = Paths(document, view.path, self._token).at if self._plan.by_path else nowhere
        for members, member in document.open:
            if (names.around or hits.key_at(*member.key)) and names.rule(
                segments(member.path, self._token)
            ) is not None:
                # What is open within it goes with it.
                start = member.value[0]
                gone_to = _open_end(view.text, start)
                members.append(Member(member.path, member.key, (start, gone_to)))
                break
        for members in document.objects:
            rules: list[Rule | None] = []
            for member in members:
                rule = None
                path = None
                if names.around or hits.key_at(*member.key):
                    path = segments(member.path, self._token)
                    number = names.rule(path)
                    start, end = _inner(view.text, member.value)
                    if number is not None and self._plan.kept(path, view.text[start:end]):
                        self._keep(view, member.value, kept)
                    elif number is not None and not self._token.fullmatch(view.text, start, end):
                        rule = self._plan.key_rules[number]
                        gone.append(member.value)
                        if start == end and not rule.delete:
                            rule = None  # an empty string
                    elif number is None and hits.among(*member.key):
                        pending.append(view.string(*member.key, path_at(member.value[0])))
                elif hits.among(*member.key) and self._token.search(view.text, *member.key) is None:
                    pending.append(view.string(*member.key, path_at(member.value[0])))
                rules.append(rule)
                if rule is None and self._plan.keep_shapes and hits.among(*member.value):
                    start, end = _inner(view.text, member.value)
                    if self._plan.kept(path or segments(member.path, self._token), view.text[start:end]):
                        self._keep(view, member.value, kept)
            for number, rule in enumerate(rules):
                if rule is not None:
                    self._remove(view, members, rules, number, rule, findings)
        gone.sort()
        for start, end in document.strings:
            if hits.among(start, end) and not within(start, gone):
                pending.append(view.string(start, end, path_at(start)))
        for start, end in document.scalars:
            if hits.among(start, end) and not within(start, gone):
                leaf = view.part(start, end, path_at(start))
                leaf.scalar = True
                leaves.append(leaf)
        return gone_to

    @staticmethod
    def _keep(view: View, value: Span, kept: list[Span]) -> None:
        if view.whole is None:  # what stands in base64 is not kept apart from the rest of it
            kept.append(view.span(*value))

    def _remove(
        self,
        view: View,
        members: list[Member],
        rules: list[Rule | None],
        number: int,
        rule: Rule,
        findings: list[Finding],
    ) -> None:
        member = members[number]
        if not rule.delete:
            start, end = member.value
            value = view.text[start:end]
            if value[0] == 0x22:  # its own quotes stay, whichever way they are written
                start, end = _inner(view.text, member.value)
                value = view.text[start:end]
                plain = decode(value) or value
                replacement = rule.replace(plain)
                if replacement == plain:
                    return
                replacement = escaped(replacement)
                findings.append(view.finding(start, end, replacement, rule))
                return
            replacement = rule.token if value[:1] in b"{[" and rule.action == "mask" else rule.replace(value)
            if replacement == value:
                return
            findings.append(view.finding(start, end, b'"' + escaped(replacement) + b'"', rule))
            return
        start, end = member.key[0] - 1, member.value[1]
        if number + 1 < len(members):
            end = members[number + 1].key[0] - 1
        elif more := _COMMA(view.text, end):  # it is not the last one: what follows is cut off or broken
            end = more.end()
        elif any(each is None or not each.delete for each in rules):
            # The last one goes with the comma behind the last member that stays; those between go by themselves.
            last = max(at for at, each in enumerate(rules) if each is None or not each.delete)
            comma = view.text.index(b",", members[last].value[1])
            if last + 1 < number and view.whole is None:
                findings.append((*view.span(comma, members[last + 1].key[0] - 1), b"", None))
            else:
                start = comma
        findings.append(view.finding(start, end, b"", rule))

    # Finding

    def _scan(self, leaves: list[View]) -> Iterator[tuple[View, list[tuple[int, int]]]]:
        """All leaves in one scan: each with its hits as (end, what)."""
        starts: list[int] = []
        size = 0
        for leaf in leaves:
            starts.append(size)
            size += len(leaf.text) + 1
        hits: dict[int, list[tuple[int, int]]] = {}
        joined = b"\n".join([*(leaf.text for leaf in leaves), b""])
        for hit in self._plan.scan(joined):
            number = bisect_right(starts, (hit >> END) - 1) - 1
            hits.setdefault(number, []).append(((hit >> END) - starts[number], hit & WHAT))
        for number, found in hits.items():
            yield leaves[number], found

    def _scalar(self, view: View, hits: list[tuple[int, int]], findings: list[Finding], record: bytes) -> None:
        text = view.text + b"\n"
        for end, what in hits:
            if what in self._plan.owns:
                own, rule = self._plan.own[what - self._plan.owns.start]
                if rule.applies(view.path) and any(
                    low < end <= high for (low, high), _ in own.found(view.text, record, view.span)
                ):
                    findings.append(view.finding(0, len(view.text), b'"' + rule.replace(view.text) + b'"', rule))
                continue
            for find, rule, *_ in self._plan.finders[what] if what < KEY and what not in self._plan.pieces else ():
                span = find(text, end) if rule.applies(view.path) else None
                if span is not None and span[0] == span[1]:
                    raise Unscrubbable("pattern timed out")
                if span is not None and (left := rule.replace(text[span[0] : span[1]])) != text[span[0] : span[1]]:
                    findings.append(view.finding(0, len(view.text), b'"' + left + b'"', rule))

    def _text(self, view: View, hits: list[tuple[int, int]], findings: list[Finding], record: bytes) -> None:
        text = view.text + b"\n"  # finders look one byte beyond
        # In decoded text a backslash is one: the letter behind it is not that of an escape.
        shapes = text.replace(b"\\", b"\0") if view.depth else text
        covered = 0  # in the value of a key nothing more is to be found
        own: dict[int, list[int]] = {}
        for end, what in hits:
            if end > len(view.text) or end <= covered:
                continue
            if what in self._plan.owns:
                own.setdefault(what - self._plan.owns.start, []).append(end)
                continue
            if within(end - 1, view.documents):
                continue
            if what >= KEY:
                covered = self._text_key(view, text, end, findings)
            elif what in self._plan.pieces:
                for at in _key_ends(text, end):  # what stands before the key's end is not of its value
                    self._text_key(view, text, at, findings)
            elif what > BASE64:
                for find, rule, *_ in self._plan.finders[what]:
                    span = find(shapes, end) if rule.applies(view.path) else None
                    if span is not None:
                        self._shape(view, text, span, rule, findings)
        for number, ends in own.items():
            self._own(view, text, number, ends, findings, record)

    def _own(
        self, view: View, text: bytes, number: int, ends: list[int], findings: list[Finding], record: bytes
    ) -> None:
        """What a pattern of the policy finds where its trigger reported; JSON in a text is looked at by itself."""
        pattern, rule = self._plan.own[number]
        if not rule.applies(view.path):
            return
        for (start, end), value in pattern.found(view.text, record, view.span):
            at = bisect_right(ends, start)
            inside = around(start, view.documents)
            if at < len(ends) and ends[at] <= end and not (inside and end <= inside[1]):
                self._shape(view, text, value, rule, findings)

    def _shape(self, view: View, text: bytes, span: Span, rule: Rule, findings: list[Finding]) -> None:
        start, end = span[0], min(span[1], len(view.text))
        if self._token.fullmatch(text, start, end) or in_token(self._own_token, text, start, end):
            return  # final
        if start == end:
            raise Unscrubbable("pattern timed out")
        if self._plan.keep_shapes and not rule.denied and self._kept(text, start):
            return
        replacement = rule.replace(text[start:end])
        if replacement == text[start:end]:
            return  # truncated before
        if rule.bare and text[start:end].isdigit() and text[end] in b",}] \t\r\n":
            before = text[max(0, start - 16) : start].rstrip(b" \t")
            name = before[:-1].rstrip(b" \t")
            if before.endswith(b":") and name.endswith(b'"'):
                quote = name[len(name[:-1].rstrip(b"\\")) :]  # as escaped as the quotes of its name
                replacement = quote + replacement + quote
        findings.append(view.finding(start, end, replacement, rule))

    def _kept(self, text: bytes, start: int) -> bool:
        """Whether what begins at `start` in running text is the value of a key that is kept, and has its shape."""
        token = _KEPT_TOKEN.search(text, max(0, start - 128), start)
        at = token.start() if token else start
        value = _KEPT_VALUE.match(text, at, at + _LONGEST_KEPT)
        head = text[max(0, at - 64) : at].rstrip(b"\\\"' \t")
        if value is None or len(value[0]) == _LONGEST_KEPT or not head.endswith((b":", b"=")):
            return False
        head = head[:-1].rstrip(b"\\\"' \t")
        return any(
            self._plan.kept(list(reversed(name.split(b"."))), value[0]) for name in names_before(head, len(head))
        )

    def _text_key(self, view: View, text: bytes, end: int, findings: list[Finding]) -> int:
        """What a key in text names; tells how far its value reaches."""
        quoted = quoted_key(text, end)
        if quoted is not None:
            names, at = iter([text[quoted.key_start : end].lower()]), quoted.value_at
        else:
            assign = ASSIGN.match(text, end)
            if assign is None and not may_be_named(text, end):
                return 0
            names, at = names_before(text, end), assign.end() if assign else end
        for name in names:
            number = self._plan.names.rule(name.split(b".")[::-1])
            if number is not None:
                break
        else:
            return 0
        if in_token(self._own_token, text, end - 1, end):
            return 0  # the name of a rule
        if self._token.match(text, at + (text[at : at + 1] in (b'"', b"'"))):
            return 0  # final
        rule = self._plan.key_rules[number]
        named = quoted is None and assign is None
        value = None if named else value_at(text, at)
        inner: Span | None
        if named:
            inner = named_value(text, end, name)
            if inner is not None and self._token.fullmatch(text, *inner):
                return 0  # final
        elif value is not None:
            inner = value.inner
        elif quoted is not None:
            inner = quoted.bare(text)
        else:
            assert assign is not None
            inner = bare_value(text, at, name, end - len(name), assign[1])
        if inner is None or inner[0] >= len(view.text):
            return 0
        inner = inner[0], min(inner[1], len(view.text))
        if quoted is not None and rule.delete:
            outer = quoted.member(text, value.outer if value else inner)
            if outer is not None:
                findings.append(view.finding(*outer, b"", rule))
                return inner[1]
        if inner[0] == inner[1]:
            return 0  # an empty string
        if self._plan.keep_shapes and self._plan.kept(name.split(b".")[::-1], text[inner[0] : inner[1]]):
            return inner[1]
        replacement = rule.replace(text[inner[0] : inner[1]])
        if replacement == text[inner[0] : inner[1]]:
            return inner[1]
        if quoted is not None and (value is None or value.inner == value.outer):
            replacement = b'"' + replacement + b'"'
        findings.append(view.finding(*inner, replacement, rule))
        return inner[1]


_KEPT_TOKEN = re.compile(rb"[^\\\"'\s:=,;&]+\Z")
_LONGEST_KEPT = 512  # an identifier in text that is longer is none
_KEPT_VALUE = re.compile(rb"[^\\\"'\s:=,;&]+")


def _open_end(text: bytes, start: int) -> int:
    """Where a value that begins there in broken JSON ends."""
    value = value_at(text, start)
    if value is not None:
        return value.outer[1]
    bare = BARE.match(text, start)
    return bare.end() if bare else start


def _between(text: bytes, documents: Sequence[Span]) -> Iterator[Span]:
    """The text around the documents: what is in them is decoded string by string."""
    at = 0
    for start, end in [*documents, (len(text), len(text))]:
        if at < start:
            yield at, start
        at = end


def _key_ends(text: bytes, at: int) -> list[int]:
    """Where the key may end that a piece of a name that ended at `at` stands in: at a quote, or after some words."""
    ends = [0]
    quote = _TO_QUOTE.match(text, at)
    if quote and text[quote.end()] in b"\"'":
        ends.append(quote.end())
    words = _TO_SIGN.match(text, at)
    if words and (not quote or words.end() < quote.end()):
        ends.append(words.end())
    return ends[1:] or [len(text)]


_TO_QUOTE = re.compile(rb"[^\"'\\\n]{0,96}")  # an escaped one counts once it is decoded
_TO_SIGN = re.compile(rb"[A-Za-z0-9_.-]*(?: [A-Za-z0-9_.-]+){0,3}(?=[ \t]{0,2}[:=])")


class _Hits:
    """Where in a text something may be personal or encoded: only there its JSON is looked at further."""

    def __init__(self, text: bytes, hits: Sequence[int]) -> None:
        self._keys = {hit >> END for hit in hits if hit & WHAT >= KEY}
        self._ends = [hit >> END for hit in hits]
        if b"\\" in text:
            self._ends += [match.end() for match in re.finditer(rb"\\", text)]
        self._ends.sort()

    def key_at(self, start: int, end: int) -> bool:
        """Whether the key that stands there may be personal."""
        return end in self._keys or self.among(start, end)

    def among(self, start: int, end: int) -> bool:
        at = bisect_right(self._ends, start)
        return at < len(self._ends) and self._ends[at] <= end


def _inner(text: bytes, value: Span) -> Span:
    """A value's span without its quotes; the closing one is missing where JSON is cut off."""
    start, end = value
    if not text.startswith(b'"', start):
        return value
    return start + 1, end - (end > start + 1 and text[end - 1] == 0x22)


def _longest(findings: list[Finding], kept: list[Span]) -> tuple[list[Finding], bool]:
    findings.sort(key=lambda finding: (finding[0] - finding[1], finding[0], finding[3] is None, rank(finding)))
    kept = sorted(kept)
    chosen: list[Finding] = []
    taken: list[Span] = []
    settled = True
    for finding in findings:
        start, end = finding[0], finding[1]
        if within(start, kept) and not (finding[3] and finding[3].denied):
            continue
        at = bisect_right(taken, (start, end))
        if (at and taken[at - 1][1] > start) or (at < len(taken) and taken[at][0] < end):
            whole = (at and taken[at - 1][1] >= end) or (at < len(taken) and taken[at][0] == start)
            settled = settled and bool(whole)
            continue
        taken.insert(at, (start, end))
        chosen.insert(at, finding)
    return chosen, settled


def _beside(record: bytes, start: int, end: int) -> bool:
    """Whether something stands beside a finding that may be found itself, or otherwise, once that is gone."""
    after = record[end : end + 1]
    if after == b"\\":
        after = record[end + 1 : end + 2]
    return after in _MAY_BEGIN or record[start - 1 : start] in _MAY_END or record[start - 2 : start] == b"::"


_ALNUM = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MAY_BEGIN = frozenset(bytes([byte]) for byte in _ALNUM + b"+%")
_MAY_END = frozenset(bytes([byte]) for byte in _ALNUM + b".-")
