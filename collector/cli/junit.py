"""JUnit's XML, as CI servers read it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


@dataclass(slots=True, frozen=True)
class TestCase:
    """One test; `failure` is (message, details) if it failed. `seconds` is how long it took."""

    name: str
    file: str
    line: int
    seconds: float
    failure: tuple[str, str] | None = None


def write(path: Path, suites: Sequence[tuple[str, Sequence[TestCase]]]) -> None:
    """Write suites by name; raises OSError."""
    every = [case for _, suite in suites for case in suite]
    root = ElementTree.Element("testsuites", {"name": "sluicegate"} | _counts(every))
    for name, suite in suites:
        group = ElementTree.SubElement(root, "testsuite", {"name": _text(name)} | _counts(suite))
        for case in suite:
            _add(group, case)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _counts(cases: Sequence[TestCase]) -> dict[str, str]:
    failed = sum(case.failure is not None for case in cases)
    seconds = sum(case.seconds for case in cases)
    return {"tests": f"{len(cases)}", "failures": f"{failed}", "errors": "0", "skipped": "0", "time": f"{seconds:.3f}"}


def _add(group: ElementTree.Element, case: TestCase) -> None:
    element = ElementTree.SubElement(
        group,
        "testcase",
        classname=_text(case.file),
        name=_text(case.name),
        file=_text(case.file),
        line=f"{case.line}",
        time=f"{case.seconds:.3f}",
    )
    if case.failure is not None:
        message, details = case.failure
        ElementTree.SubElement(element, "failure", message=_text(message)).text = _text(details)


def _text(text: str) -> str:
    """What XML cannot hold is written as an escape."""
    return _FORBIDDEN.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
