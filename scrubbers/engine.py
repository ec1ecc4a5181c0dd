"""The engine: a block of records in, the same records without personal data out."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TypeAlias

from scrubbers.locate import Locator
from scrubbers.matching import Unscrubbable
from scrubbers.otlp.request import Part, scrub
from scrubbers.otlp.resources import resources
from scrubbers.outcome import Quarantined, Scrubbed
from scrubbers.plan import Plan, Rule
from scrubbers.policy import Policy
from scrubbers.reference import Reference
from scrubbers.scopes import Apart, Scopes, halves
from scrubbers.signals import Signal
from scrubbers.splice import Finding, splice

_MAX_TEXT = 64 * 1024  # of a resource attribute


@dataclass(slots=True, frozen=True)
class Explained:
    """One finding in a record: the bytes from `start` to `end` become `replacement`."""

    rule: str
    action: str
    start: int
    end: int
    tier: int
    replacement: bytes


Resource: TypeAlias = tuple[tuple[str, str], ...]
"""Attributes of where records come from, as pairs of name and value."""

_OBSERVED = "observe"
_PLAIN_KEY = re.compile(rb"[0-9A-Za-z_.-]+").fullmatch
_MOST_PARTS = 64  # sets of rules that are ready: each takes some MB and a tenth of a second
_MOST_ORIGINS = 4096
_rule = itemgetter(3)
_NOTHING: Mapping[tuple[str, str], int] = {}


class Scrubber:
    """Strips personal data and secrets from blocks of newline-terminated records, by one policy.

    Pure: no input or output, no clock but for the limits of the policy's own patterns, nothing that one call leaves to
    another; threads may share one.
    """

    def __init__(self, policy: Policy) -> None:
        self.fingerprint = policy.fingerprint
        self._scopes = Scopes(policy)
        self._whole = _Both(policy)  # compiled now, so that what cannot be is told now
        self._parts: dict[Apart, _Both] = {frozenset(): self._whole}
        self._known: dict[tuple[str, str | None, Resource | None], _Both] = {}

    def scrub(
        self, body: bytes, *, signal: str = "logs", source: str | None = None, resource: Resource | None = None
    ) -> Scrubbed:
        r"""Scrub records, each ended by `\n` (the last may lack it).

        `source` and `resource` (attributes, as pairs) are what the scopes of rules ask for; a scope that asks for what
        is not told holds. A clean block comes back as the same object. Number and order of records stay, but for those
        that could not be made clean for sure: they are taken out of the body and named in `quarantined`. Never raises
        on any bytes.
        """
        both = self._both(signal, source, resource) if self._scopes else self._whole
        return both.scrub(body)

    def scrub_otlp(
        self, body: bytes, *, signal: Signal, source: str | None = None, resource: Resource | None = None
    ) -> Scrubbed:
        """Scrub an OTLP export request, as it stands on the wire.

        `resource` is added to what the request says of its own resources, for the scopes of rules; where both name an
        attribute, `resource` counts. A clean request comes back as the same object. `quarantined` numbers spans, log
        records or data points in the order of the wire; they are taken out of the body. If a resource, a scope or a
        metric cannot be made clean, so are all records that belong to it. Raises Malformed only where
        `scrubbers.otlp.measure` does.
        """
        if not self._scopes:
            parts = [Part(len(body), self._whole.triggered(body), self._whole.scrub, self._whole.enforced.goes)]
            return scrub(body, signal, parts)
        parts = []
        for start, end, own in resources(body, signal, self._scopes.attributes):
            known = (
                None
                if own is None and resource is None
                else tuple(sorted(((own or {}) | dict(resource or ())).items()))
            )
            both = self._both(signal, source, known)
            hits = [start + hit for hit in both.triggered(body[start:end])]
            parts.append(Part(end, hits, both.scrub, both.enforced.goes))
        return scrub(body, signal, parts)

    def scrub_text(self, text: str) -> str:
        """Scrub a short text, such as the value of a resource attribute; what cannot be made clean becomes a token."""
        if len(text) > _MAX_TEXT:
            return "[REDACTED:too_long]"
        lines = text.encode("utf-8", "surrogatepass").replace(b"\n", b" ")
        scrubbed = self.scrub(lines)
        if scrubbed.quarantined:
            return "[REDACTED:unscrubbable]"
        return text if scrubbed.body is lines else scrubbed.body.decode("utf-8", "replace")

    def explain(
        self, line: bytes, *, signal: str = "logs", source: str | None = None, resource: Resource | None = None
    ) -> list[Explained]:
        """What is found in one record, by which rule and tier, as if it came alone. Offsets are into the record.

        What rules in `mode: observe` find comes last.
        """
        both = self._both(signal, source, resource)
        return [*both.enforced.explain(line), *(both.observed.explain(line) if both.observed else ())]

    def _both(self, signal: str, source: str | None, resource: Resource | None) -> "_Both":
        asked = (signal, source, resource)
        known = self._known.get(asked)
        if known is None:
            apart = self._scopes.apart(signal, source, None if resource is None else dict(resource))
            known = self._parts.get(apart)
            if known is None:
                if len(self._parts) > _MOST_PARTS:
                    self._parts = {frozenset(): self._whole}
                known = self._parts[apart] = _Both(self._scopes.policy(apart))
            if len(self._known) > _MOST_ORIGINS:
                self._known.clear()
            self._known[asked] = known
        return known


class _Both:
    """The rules that apply to a batch: those that are enforced, and those that are only observed, if there are any."""

    def __init__(self, policy: Policy) -> None:
        enforced, observed = halves(policy)
        self.enforced = _Engine(enforced, observe=policy.mode == "observe")
        self.observed = _Engine(observed, observe=True) if observed else None

    def scrub(self, body: bytes) -> Scrubbed:
        scrubbed = self.enforced.scrub(body)
        if self.observed is None:
            return scrubbed
        seen = self.observed.scrub(scrubbed.body)
        return replace(scrubbed, findings=_added(scrubbed.findings, seen.findings), deep=scrubbed.deep + seen.deep)

    def triggered(self, message: bytes) -> list[int]:
        """Where in a message of protobuf something may be personal: ends of reports, sorted."""
        seen = self.enforced.triggered(message)
        return seen if self.observed is None else sorted({*seen, *self.observed.triggered(message)})


class _Engine:
    """Scrubs by rules that all apply. `observe`: it counts, and changes nothing."""

    def __init__(self, policy: Policy, *, observe: bool) -> None:
        self._plan = Plan(policy)
        self._observe = observe
        self._locator = Locator(self._plan)
        self._reference = Reference(self._plan)

    def scrub(self, body: bytes) -> Scrubbed:
        ended = body.endswith(b"\n")
        text = body if ended else body + b"\n"
        self._plan.budget.renew()
        findings, doubtful = self._locator.locate(text)
        if not findings and not doubtful:
            return Scrubbed(body, _NOTHING)
        counted = Counter(map(_rule, findings))
        quarantined: list[Quarantined] = []
        if doubtful:
            findings = self._deep(text, findings, doubtful, counted, quarantined)
        counts: Counter[tuple[str, str]] = Counter()
        for rule, count in counted.items():
            if rule is not None:
                counts[rule.name, _OBSERVED if self._observe else rule.action] += count
        clean = body if self._observe and not quarantined else splice(text, findings)
        if not ended and clean is not body and not _last_went(body, quarantined):
            clean = clean[:-1]
        return Scrubbed(clean, counts, tuple(quarantined), len(doubtful))

    def triggered(self, message: bytes) -> list[int]:
        return self._plan.wire.scan(message)

    def goes(self, key: bytes, text: bytes) -> tuple[str, str] | None:
        """The finding by which a member with this key and text surely goes; None where that is not so plain."""
        if self._observe or text.startswith(b"[") or not _PLAIN_KEY(key):
            return None
        number = self._plan.names.decide_whole(key.lower())
        rule = None if number is None else self._plan.key_rules[number]
        return (rule.name, rule.action) if rule is not None and rule.delete else None

    def explain(self, line: bytes) -> list[Explained]:
        """What is found in one record, by which rule and tier, as if it came alone. Offsets are into the record."""
        text = line.rstrip(b"\n").replace(b"\n", b" ") + b"\n"
        findings, doubtful = self._locator.locate(text)
        tier = 3 if doubtful else 2
        if doubtful:
            findings = self._reference.find(text[:-1])
        return [
            Explained(rule.name, _OBSERVED if self._observe else rule.action, start, end, tier, replacement)
            for start, end, replacement, rule in findings
            if rule is not None
        ]

    def _deep(
        self,
        text: bytes,
        findings: list[Finding],
        doubtful: list[int],
        counted: "Counter[Rule | None]",
        quarantined: list[Quarantined],
    ) -> list[Finding]:
        replaced: list[Finding] = []
        index, reached = 0, 0
        for start in doubtful:
            end = text.find(b"\n", start)
            record = text[start:end]
            try:
                clean, rules = self._reference.scrub(record)
            except Unscrubbable as reason:
                index, reached = index + text.count(b"\n", reached, start), start
                quarantined.append(Quarantined(index, str(reason)))
                replaced.append((start, end + 1, b"", None))
                continue
            except Exception:  # fail closed: whatever went wrong, the record does not pass
                index, reached = index + text.count(b"\n", reached, start), start
                quarantined.append(Quarantined(index, "internal error"))
                replaced.append((start, end + 1, b"", None))
                continue
            counted.update(rules)
            if clean != record and not self._observe:
                replaced.append((start, end, clean, None))
        return sorted([*([] if self._observe else findings), *replaced], key=lambda finding: finding[0])


def _added(one: Mapping[tuple[str, str], int], other: Mapping[tuple[str, str], int]) -> Mapping[tuple[str, str], int]:
    return Counter(one) + Counter(other) if other else one


def _last_went(body: bytes, quarantined: list[Quarantined]) -> bool:
    """Whether the last record, which no newline ends, was taken out."""
    return bool(quarantined) and quarantined[-1].index == body.count(b"\n")
