"""The engine: a block of records in, the same records without personal data out."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

from scrubbers.locate import Locator
from scrubbers.plan import Plan, Rule
from scrubbers.policy import Policy
from scrubbers.reference import Reference, Unscrubbable
from scrubbers.splice import Finding, splice

_MAX_TEXT = 64 * 1024  # of a resource attribute


@dataclass(slots=True, frozen=True)
class Quarantined:
    """A record that was taken out: its index in the block that came in, and why."""

    index: int
    reason: str


@dataclass(slots=True, frozen=True)
class Scrubbed:
    """What a block became. `findings` counts by (rule, action); `deep` counts records of the reference path."""

    body: bytes
    findings: Mapping[tuple[str, str], int]
    quarantined: tuple[Quarantined, ...] = ()
    deep: int = 0


@dataclass(slots=True, frozen=True)
class Explained:
    """One finding in a record: the bytes from `start` to `end` become `replacement`."""

    rule: str
    action: str
    start: int
    end: int
    tier: int
    replacement: bytes


_rule = itemgetter(3)
_NOTHING: Mapping[tuple[str, str], int] = {}


class Scrubber:
    """Strips personal data and secrets from blocks of newline-terminated records, by one policy.

    Pure: no input or output, no clock. Not shared between threads while scrubbing; build one per worker.
    """

    def __init__(self, policy: Policy) -> None:
        plan = Plan(policy)
        self.fingerprint = policy.fingerprint
        self._observe = policy.mode == "observe"
        self._locator = Locator(plan)
        self._reference = Reference(plan)

    def scrub(self, body: bytes, *, signal: str = "logs", source: str = "") -> Scrubbed:  # noqa: ARG002
        r"""Scrub records, each ended by `\n` (the last may lack it).

        A clean block comes back as the same object. Number and order of records stay, but for those that could not be
        made clean for sure: they are taken out of the body and named in `quarantined`. Never raises on any bytes.
        """
        ended = body.endswith(b"\n")
        text = body if ended else body + b"\n"
        findings, doubtful = self._locator.locate(text)
        if not findings and not doubtful:
            return Scrubbed(body, _NOTHING)
        counted = Counter(map(_rule, findings))
        quarantined: list[Quarantined] = []
        if doubtful:
            findings = self._deep(text, findings, doubtful, counted, quarantined)
        counts = {(rule.name, rule.action): count for rule, count in counted.items() if rule is not None}
        clean = body if self._observe and not quarantined else splice(text, findings)
        if not ended and clean.endswith(b"\n") and clean is not body:
            clean = clean[:-1]
        return Scrubbed(clean, counts, tuple(quarantined), len(doubtful))

    def scrub_text(self, text: str) -> str:
        """Scrub a short text, such as the value of a resource attribute; what cannot be made clean becomes a token."""
        if len(text) > _MAX_TEXT:
            return "[REDACTED:too_long]"
        lines = text.encode("utf-8", "surrogatepass").replace(b"\n", b" ")
        scrubbed = self.scrub(lines)
        if scrubbed.quarantined:
            return "[REDACTED:unscrubbable]"
        return text if scrubbed.body is lines else scrubbed.body.decode("utf-8", "replace")

    def explain(self, line: bytes) -> list[Explained]:
        """What is found in one record, by which rule and tier, as if it came alone. Offsets are into the record."""
        text = line.rstrip(b"\n").replace(b"\n", b" ") + b"\n"
        findings, doubtful = self._locator.locate(text)
        tier = 3 if doubtful else 2
        if doubtful:
            findings = self._reference.find(text[:-1])
        return [
            Explained(rule.name, rule.action, start, end, tier, replacement)
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
