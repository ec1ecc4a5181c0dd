"""`policy test`: cases that pass, cases that fail, files that are no cases; for people and for CI servers."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrubbers import Scrubber, load_policy
from scrubbers.workbench.cases import Case, Cases, load_cases, run
from settings import to_yaml
from tests.collector.cli.conftest import Run
from tests.scrubbers.engine import thoroughly
from tests.strategies import any_record

GOOD = """\
cases:
  - name: an e-mail in text
    given: user jane@example.com paid
    expect: user [REDACTED:email] paid
    findings: {email: 1}
  - given: '{"password":"hunter2","n":1}'
    findings: [key:password]
    gone: [hunter2]
  - given: |
      order 17 shipped
    unchanged: true
    findings: []
"""


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of the test: `write(text, name)`."""

    def one(text: str, name: str = "cases.yaml") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return one


def failed(out: bytes) -> list[str]:
    """The messages of failures, each `LINE: MESSAGE`."""
    return [
        f"{line}: {message}"
        for line, message in re.findall(r"^[a-z.]+\.yaml:(\d+): [^:]*: (.*)$", out.decode(), re.MULTILINE)
    ]


def test_cases_that_pass(sluicegate: Run, write: Write) -> None:
    write(GOOD)
    done = sluicegate("policy", "test", "cases.yaml")
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode().splitlines()
    assert shown[0] == "cases.yaml"
    assert [line.split() for line in shown[1:4]] == [
        ["✓", "2", "an", "e-mail", "in", "text"],
        ["✓", "6", "line", "6"],
        ["✓", "9", "line", "9"],
    ]
    assert shown[4] == "3 passed, 0 failed"


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("given: a b, unchanged: true, findings: {email: 1}", "found: nothing; expected: email ×1"),
        ("given: a@b.io, findings: []", "found: email ×1; expected: nothing"),
        ("given: a@b.io c@d.io, findings: {email: 1}", "found: email ×2; expected: email ×1"),
        ("given: a@b.io, findings: [email, ipv4]", "found: email ×1; expected: email, ipv4"),
        ("given: a@b.io, unchanged: true", "the record is changed"),
        ("given: a@b.io, expect: x", "the record becomes something else"),
        ("given: a b c, gone: [c, a]", "still there: gone[0], gone[1]"),
        ("given: '\"a\\u0062c\"', gone: [abc]", "still there: gone[0]"),
    ],
)
def test_a_case_that_fails(case: str, message: str, sluicegate: Run, write: Write) -> None:
    write(f"cases:\n  - {{{case}}}\n")
    done = sluicegate("policy", "test", "cases.yaml")
    assert done.returncode == 1
    assert failed(done.stdout) == [f"2: {message}"]
    assert done.stdout.endswith(b"0 passed, 1 failed\n")


def test_the_difference_is_shown_and_cannot_steer_the_terminal(sluicegate: Run, write: Write) -> None:
    write('cases:\n  - given: "\\e[31m jane@example.com"\n    unchanged: true\n')
    out = sluicegate("policy", "test", "cases.yaml").stdout.decode()
    assert r"  -\x1b[31m jane@example.com" in out
    assert r"  +\x1b[31m [REDACTED:email]" in out
    assert "\x1b" not in out


def test_a_record_that_is_withheld_fails_whatever_is_expected(sluicegate: Run, write: Write) -> None:
    write(
        "cases:\n  - {given: 'jane%252525252525252540example.com', gone: [jane]}\n  - {given: jane, unchanged: true}\n"
    )
    done = sluicegate("policy", "test", "cases.yaml")
    assert done.returncode == 1
    assert failed(done.stdout) == ["2: the record is withheld: encoded too deep"]


def test_every_mistake_in_every_file_is_told_at_once(sluicegate: Run, write: Write) -> None:
    write(
        "polcy: a\ncases:\n  - given: a\n  - given: b\n    gone: [c, b]\n  - {given: a, expect: a, unchanged: true}\n"
    )
    write("policy: nowhere.yaml\ncases: [{given: a, gone: [a]}]\n", "b.yaml")
    write("cases: []\n", "c.yaml")
    done = sluicegate("policy", "test", "cases.yaml", "b.yaml", "c.yaml", "d.yaml")
    assert (done.returncode, done.stdout) == (78, b"")
    told = done.stderr.decode().splitlines()
    assert [line.split()[0] for line in told] == [
        "b.yaml:1:", "c.yaml:1:", "cases.yaml:1:", "cases.yaml:3:", "cases.yaml:5:", "cases.yaml:6:", "d.yaml:"
    ]  # fmt: skip
    assert "policy: " in told[0]


def test_no_file_is_a_wrong_command_line(sluicegate: Run) -> None:
    assert sluicegate("policy", "test").returncode == 2


class TestWhichPolicy:
    CASE = "cases: [{given: 'colour=red mail=a@b.io', gone: [red]}]\n"
    POLICY = "keys: [{names: [colour]}]\n"

    def test_none_is_the_default(self, sluicegate: Run, write: Write) -> None:
        write(self.CASE)
        assert sluicegate("policy", "test", "cases.yaml").returncode == 1

    def test_the_one_that_the_file_names_from_its_own_folder(
        self, sluicegate: Run, write: Write, tmp_path: Path
    ) -> None:
        (tmp_path / "below").mkdir()
        write(self.POLICY, "below/p.yaml")
        write(f"policy: p.yaml\n{self.CASE}", "below/cases.yaml")
        assert sluicegate("policy", "test", "below/cases.yaml").returncode == 0

    def test_the_one_beside(self, sluicegate: Run, write: Write) -> None:
        write(self.POLICY, "shop.yaml")
        write(self.CASE, "shop.test.yaml")
        assert sluicegate("policy", "test", "shop.test.yaml").returncode == 0

    def test_the_one_that_is_given_wins(self, sluicegate: Run, write: Write) -> None:
        write("keys: []\n", "shop.yaml")
        write(self.POLICY, "p.yaml")
        write(f"policy: shop.yaml\n{self.CASE}", "shop.test.yaml")
        assert sluicegate("policy", "test", "--policy", "p.yaml", "shop.test.yaml").returncode == 0


def test_where_a_record_comes_from(sluicegate: Run, write: Write) -> None:
    write(
        "patterns:\n"
        "  - {detector: email, scope: {sources: [shop]}}\n"
        "  - {detector: ipv4, scope: {signals: [traces], resource: {k8s.namespace.name: team-*}}}\n",
        "p.yaml",
    )
    given = "given: a@b.io 203.0.113.9"
    write(f"""\
policy: p.yaml
cases:
  - {{{given}, source: shop, findings: [email]}}
  - {{{given}, source: cart, unchanged: true}}
  - {{{given}, findings: [email]}}
  - {{{given}, source: cart, signal: traces, findings: [ipv4]}}
  - {{{given}, source: cart, signal: traces, resource: {{k8s.namespace.name: team-a}}, findings: [ipv4]}}
  - {{{given}, source: cart, signal: traces, resource: {{}}, unchanged: true}}
""")
    done = sluicegate("policy", "test", "cases.yaml")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, b"6 passed, 0 failed"), done.stdout.decode()


class TestJUnit:
    def test_tells_what_the_terminal_tells(self, sluicegate: Run, write: Write, tmp_path: Path) -> None:
        write(GOOD + "  - name: wrong\n    given: a@b.io \\x01\n    unchanged: true\n")
        write(GOOD, "b.yaml")
        assert sluicegate("policy", "test", "--junit", "r.xml", "cases.yaml", "b.yaml").returncode == 1
        root = ElementTree.parse(tmp_path / "r.xml").getroot()  # noqa: S314
        assert (root.get("tests"), root.get("failures")) == ("7", "1")
        assert [(suite.get("name"), suite.get("failures")) for suite in root] == [("cases.yaml", "1"), ("b.yaml", "0")]
        (failure,) = root.iter("failure")
        assert failure.get("message") == "the record is changed"
        assert "+[REDACTED:email]" in (failure.text or "")
        (case,) = (case for case in root.iter("testcase") if len(case))
        assert (case.get("name"), case.get("file"), case.get("line")) == ("wrong", "cases.yaml", "13")

    def test_holds_only_what_xml_can(self, sluicegate: Run, write: Write, tmp_path: Path) -> None:
        write('cases:\n  - given: "a@b.io \\x01\\uFFFE <&"\n    unchanged: true\n')
        sluicegate("policy", "test", "--junit", "r.xml", "cases.yaml")
        (failure,) = ElementTree.parse(tmp_path / "r.xml").getroot().iter("failure")  # noqa: S314
        assert r"\x01\xfffe <&" in (failure.text or "")

    def test_that_cannot_be_written(self, sluicegate: Run, write: Write) -> None:
        write(GOOD)
        done = sluicegate("policy", "test", "--junit", "no/where", "cases.yaml")
        assert done.returncode == 1
        assert b"no/where: No such file or directory" in done.stderr


_scrubber = Scrubber(load_policy())


@thoroughly
@given(any_record.filter(lambda record: record == record.decode(errors="ignore").encode()), st.booleans())
def test_what_the_scrubber_does_is_what_a_case_of_it_says(
    tmp_path_factory: pytest.TempPathFactory, record: bytes, wrong: bool
) -> None:
    """A case written from the scrubber's own answer passes, and one written from another answer fails."""
    text = record.decode().removesuffix("\n")
    scrubbed = _scrubber.scrub(text.encode())
    expect = scrubbed.body.decode(errors="replace").removesuffix("\n") + ("x" if wrong else "")
    counts: dict[str, int] = {}
    for (rule, _), count in scrubbed.findings.items():
        counts[rule] = counts.get(rule, 0) + count
    path = tmp_path_factory.getbasetemp() / "drawn.yaml"
    path.write_text(to_yaml(Cases(cases=(Case(given=text, expect=expect, findings=counts),))))
    file = load_cases(path)
    if file.cases[0].given != text:
        return  # YAML has no way to write some characters; what it says then is not asked here
    (result,) = run(file, _scrubber)
    assert bool(result.failures) is (wrong or bool(scrubbed.quarantined))
