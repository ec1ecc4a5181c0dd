"""Cases: lines, and what a policy must make of them. A YAML file of them is the policy's own test."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from scrubbers.encodings import decode
from scrubbers.engine import Scrubber
from scrubbers.policy_file import PRESETS
from scrubbers.signals import Signal
from settings import Node, Problem, Settings, SettingsError, read, refuse, validate

_MARK = ".test"
"""`shop.test.yaml` tests `shop.yaml`."""


class Case(Settings):
    """One line, and what is expected of it: at least one of `expect`, `unchanged`, `findings`, `gone`."""

    given: str = Field(description="The record, as the application writes it.")
    name: str | None = Field(None, description="What the case shows, in words.")
    signal: Signal = Field("logs", description="The signal that the record is of.")
    source: str | None = Field(
        None, description="The source that it comes from; not given: a scope that asks for one holds."
    )
    resource: dict[str, str] | None = Field(
        None, description="The attributes of its resource; not given: a scope that asks for some holds."
    )
    expect: str | None = Field(None, description="What the record must become, byte for byte.")
    unchanged: bool = Field(False, description="The record must stay as it is.")
    findings: dict[str, int] | tuple[str, ...] | None = Field(
        None,
        description="The rules that must find something, and no others: names (`email`, `key:password`), or names with "
        "how often.",
    )
    gone: tuple[str, ...] = Field(
        (), description="Parts of `given` that must not be left, nor come to light when the record is decoded."
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.expect is None and not self.unchanged and self.findings is None and not self.gone:
            refuse(((), "expects nothing; write expect, unchanged, findings or gone"))
        if self.expect is not None and self.unchanged:
            refuse((("unchanged",), "stands beside `expect`; write one of them"))
        given = self.given.encode()
        refused = [
            (("gone", number), "does not stand in `given`, so it is always gone; write a part of it")
            for number, part in enumerate(self.gone)
            if not _holds(given, part.encode())
        ]
        if refused:
            refuse(*refused)
        return self


class Cases(Settings):
    """A file of cases."""

    policy: str | None = Field(
        None,
        description="The policy: a file (a relative path starts at the folder of this one) or the name of a preset. "
        "Without it `NAME.test.yaml` tests the `NAME.yaml` beside it, and else the default policy is tested.",
    )
    cases: tuple[Case, ...] = Field(description="The cases, at least one.")

    @model_validator(mode="after")
    def _has_some(self) -> Self:
        if not self.cases:
            refuse((("cases",), "is empty, and would pass whatever the policy does; write at least one case"))
        return self


@dataclass(slots=True, frozen=True)
class CaseFile:
    """A file as it was read; `lines` are where its cases begin."""

    path: Path
    cases: tuple[Case, ...]
    lines: tuple[int, ...]
    policy: Path | None


@dataclass(slots=True, frozen=True)
class Failure:
    """What was not as expected; `expected` and `actual` where two records are to be compared."""

    message: str
    expected: str | None = None
    actual: str | None = None


@dataclass(slots=True, frozen=True)
class Result:
    """How a case ended; `seconds` of CPU time."""

    case: Case
    line: int
    failures: tuple[Failure, ...]
    seconds: float

    @property
    def name(self) -> str:
        return self.case.name or f"line {self.line}"


def load_cases(path: Path) -> CaseFile:
    """Read a file of cases; raises settings.SettingsError with everything wrong in it."""
    root = read(path)
    cases = validate(root, Cases, str(path))
    policy = PRESETS.get(cases.policy, path.parent / cases.policy) if cases.policy else _beside(path)
    if cases.policy and policy is not None and not policy.is_file():
        place = dict(root.children())["policy"]
        raise SettingsError(
            [
                Problem(
                    str(path),
                    place.line,
                    place.column,
                    "policy",
                    "names a file that is not there; write its path from the folder of this file",
                )
            ]
        )
    return CaseFile(path, cases.cases, tuple(_lines(root)), policy)


def _beside(path: Path) -> Path | None:
    stem, mark = path.with_suffix("").name, _MARK
    tested = path.with_name(stem.removesuffix(mark) + path.suffix)
    return tested if stem.endswith(mark) and tested.is_file() else None


def _lines(root: Node) -> Iterator[int]:
    return (case.line for _, case in dict(root.children())["cases"].children())


def run(file: CaseFile, scrubber: Scrubber) -> Iterator[Result]:
    """The cases of a file, one after another."""
    for case, line in zip(file.cases, file.lines, strict=True):
        start = time.process_time()
        failures = tuple(_failures(case, scrubber))
        yield Result(case, line, failures, time.process_time() - start)


def _failures(case: Case, scrubber: Scrubber) -> Iterator[Failure]:
    given = case.given.removesuffix("\n").encode()  # what a block scalar adds
    resource = None if case.resource is None else tuple(case.resource.items())
    scrubbed = scrubber.scrub(given, signal=case.signal, source=case.source, resource=resource)
    if scrubbed.quarantined:
        yield Failure(f"the record is withheld: {scrubbed.quarantined[0].reason}")
        return
    expected = given if case.unchanged else None if case.expect is None else case.expect.removesuffix("\n").encode()
    if expected is not None and scrubbed.body != expected:
        what = "the record is changed" if case.unchanged else "the record becomes something else"
        yield Failure(what, expected.decode(), scrubbed.body.decode(errors="replace"))
    counted: Counter[str] = Counter()
    for (rule, _), count in scrubbed.findings.items():
        counted[rule] += count
    if case.findings is not None and not _agree(case.findings, counted):
        yield Failure(f"found: {_told(counted)}; expected: {_told(case.findings)}")
    left = [f"gone[{number}]" for number, part in enumerate(case.gone) if _holds(scrubbed.body, part.encode())]
    if left:
        yield Failure(f"still there: {', '.join(left)}", None, scrubbed.body.decode(errors="replace"))


def _agree(expected: Mapping[str, int] | tuple[str, ...], counted: Mapping[str, int]) -> bool:
    if isinstance(expected, tuple):
        return set(expected) == set(counted)
    return {rule: count for rule, count in expected.items() if count} == dict(counted)


def _told(findings: Mapping[str, int] | tuple[str, ...]) -> str:
    if isinstance(findings, tuple):
        return ", ".join(findings) or "nothing"
    return ", ".join(f"{rule} ×{count}" for rule, count in sorted(findings.items())) or "nothing"


def _holds(record: bytes, part: bytes) -> bool:
    return part in record or part in (decode(record) or b"")
