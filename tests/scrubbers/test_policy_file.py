"""Policy files: presets, what extending means, and how a file that cannot be used is told."""

from pathlib import Path
from textwrap import dedent

import pytest

from scrubbers import Policy, Scrubber, load_policy
from scrubbers.detectors import DETECTORS, secrets
from scrubbers.policy_file import PRESETS, read_policy
from settings import SettingsError, loads


def write(path: Path, text: str) -> Path:
    path.write_text(dedent(text))
    return path


def refused(path: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_policy(path)
    return [str(problem).removeprefix(f"{path.parent}/") for problem in caught.value.problems]


def names(policy: Policy) -> set[str]:
    return {name for rule in policy.keys for name in rule.names}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_scrubs(preset: str) -> None:
    scrubber = Scrubber(load_policy(PRESETS[preset]))
    assert scrubber.scrub(b'{"password":"hunter2","n":1.10}\n').body == b'{"n":1.10}\n'


def test_the_presets_are_those_that_the_manual_names() -> None:
    assert set(PRESETS) == {"default", "strict", "secrets-only", "gdpr", "pci"}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_leave_what_says_where_a_record_comes_from(preset: str) -> None:
    record = (
        b'{"k8s.namespace.name":"shop","k8s.pod.name":"web-7d9f8b6c5d-x2x4z","service.name":"web","host.name":"n1",'
        b'"log.file.path":"/var/log/x","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","level":"info","status":200}\n'
    )
    assert Scrubber(load_policy(preset)).scrub(record).body is record


def test_strict_has_all_that_the_others_have() -> None:
    strict = load_policy(PRESETS["strict"])
    others = [load_policy(path) for name, path in PRESETS.items() if name != "strict"]
    assert names(strict) >= set().union(*map(names, others))
    assert {rule.called for rule in strict.patterns} == set(DETECTORS)


def test_strict_takes_what_is_called_like_something_personal() -> None:
    scrubber = Scrubber(load_policy(PRESETS["strict"]))
    record = (
        b'{"dbPasswordOld":"a","customer_email_2":"b","http.request.header.x-user":"c","msg":"ok","token_count":3}\n'
    )
    assert scrubber.scrub(record).body == b'{"msg":"ok","token_count":3}\n'


def test_secrets_only_has_every_detector_of_secrets_and_none_of_people() -> None:
    only = {rule.called for rule in load_policy(PRESETS["secrets-only"]).patterns}
    assert only >= {detector.name for detector in secrets.DETECTORS}
    assert not only & {"email", "phone", "payment_card", "iban", "us_ssn", "ipv4"}


def test_pci_keeps_no_more_than_the_last_four_digits_and_nothing_of_the_code() -> None:
    scrubber = Scrubber(load_policy(PRESETS["pci"]))
    body = b'{"pan":"4111111111111111","cvv":"123","note":"4111 1111 1111 1111"}\n'
    assert scrubber.scrub(body).body == b'{"pan":"************1111","note":"**** **** **** 1111"}\n'


def test_a_policy_that_only_extends_is_the_same_policy(tmp_path: Path) -> None:
    extending = load_policy(write(tmp_path / "p.yaml", "extends: default\n"))
    assert extending == load_policy()
    assert extending.fingerprint == load_policy().fingerprint


def test_rules_of_the_file_come_first_and_decide(tmp_path: Path) -> None:
    policy = load_policy(
        write(
            tmp_path / "p.yaml",
            """\
            extends: [pci, default]
            keys:
              - names: [email, order_note]
                action: replace
            patterns:
              - detector: payment_card
            """,
        )
    )
    assert policy.keys[0].names == ("email", "order_note")
    scrubbed = Scrubber(policy).scrub(b'{"email":"x","order_note":"y","phone":"1","n":"4111111111111111"}\n')
    assert scrubbed.body == (
        b'{"email":"[REDACTED:email]","order_note":"[REDACTED:order_note]","n":"[REDACTED:payment_card]"}\n'
    )
    assert scrubbed.findings == {
        ("key:email", "replace"): 1, ("key:order_note", "replace"): 1, ("key:phone", "delete"): 1,
        ("payment_card", "replace"): 1,
    }  # fmt: skip


def test_among_those_that_it_extends_the_first_decides(tmp_path: Path) -> None:
    body = b"4111111111111111\n"
    first = load_policy(write(tmp_path / "a.yaml", "extends: [pci, default]\n"))
    second = load_policy(write(tmp_path / "b.yaml", "extends: [default, pci]\n"))
    assert Scrubber(first).scrub(body).body == b"************1111\n"
    assert Scrubber(second).scrub(body).body == b"[REDACTED:payment_card]\n"


def test_a_rule_that_stands_twice_is_there_once(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path / "p.yaml", "extends: [gdpr, pci]\n"))
    assert [rule.called for rule in policy.patterns].count("jwt") == 1


def test_what_is_disabled_is_not_taken_over(tmp_path: Path) -> None:
    policy = load_policy(
        write(
            tmp_path / "p.yaml",
            """\
            extends: default
            disable:
              keys: [E-Mail, dob]
              patterns: [email, ipv4]
              keep: [commit, commit_id, git_sha, revision]
            """,
        )
    )
    assert names(load_policy()) - names(policy) == {"email", "dob"}
    assert {rule.called for rule in load_policy().patterns} - {rule.called for rule in policy.patterns} == {
        "email",
        "ipv4",
    }
    assert len(policy.keep) == len(load_policy().keep) - 1
    scrubbed = Scrubber(policy).scrub(b'{"email":"bob@x.io","phone":"1"}\n')
    assert scrubbed.body == b'{"email":"bob@x.io"}\n'


def test_what_is_disabled_may_be_said_anew(tmp_path: Path) -> None:
    text = (
        "extends: default\ndisable: {patterns: [email]}\npatterns:\n  - {detector: email, action: mask, keep_last: 0}\n"
    )
    assert Scrubber(load_policy(write(tmp_path / "p.yaml", text))).scrub(
        b"a bob@x.io\n"
    ).body == b"a ***@*.**\n".replace(b"@", b"*")


def test_single_values_are_its_own_or_those_of_the_first_that_says_them(tmp_path: Path) -> None:
    key = "hash: {key: 0123456789abcdef, version: %s}\n"
    write(tmp_path / "one.yaml", "mode: observe\n")
    write(tmp_path / "two.yaml", "mode: enforce\n" + key % "k2")
    write(tmp_path / "three.yaml", "extends: two.yaml\n" + key % "k3")
    policy = load_policy(
        write(
            tmp_path / "p.yaml",
            "extends: [./one.yaml, ./two.yaml, ./three.yaml]\nkeys: [{names: [a1], action: hash}]\n",
        )
    )
    assert policy.mode == "observe"
    assert policy.hash is not None
    assert policy.hash.version == "k2"


def test_a_file_may_lie_in_another_folder_and_extend_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    write(tmp_path / "base" / "a.yaml", "extends: b.yaml\nkeys: [{names: [alpha]}]\n")
    write(tmp_path / "base" / "b.yaml", "keys: [{names: [beta]}]\n")
    loaded = read_policy(write(tmp_path / "p.yaml", "extends: base/a.yaml\nkeys: [{names: [gamma]}]\n"))
    assert [rule.names for rule in loaded.policy.keys] == [("gamma",), ("alpha",), ("beta",)]
    assert [path.name for path in loaded.files] == ["p.yaml", "a.yaml", "b.yaml"]
    assert [Path(each).name for each in loaded.origins["keys"]] == ["p.yaml", "a.yaml", "b.yaml"]


def test_everything_wrong_in_all_files_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "version: 1\nkeys: [{names: [a1], action: erase}]\n")
    path = write(
        tmp_path / "p.yaml",
        """\
        extends:
          - base.yaml
          - defautl
          - missing.yaml
        """,
    )
    assert refused(path) == [
        "base.yaml:2: keys[0].action: is not one of the choices; write one of delete, replace, mask, hash, "
        "truncate, encrypt",
        "p.yaml:3: extends[1]: is no preset; write one of default, gdpr, pci, secrets-only, strict, or a file with its "
        "ending (base.yaml)",
        "p.yaml:4: extends[2]: is no file; write a path that begins at the folder of this one",
    ]


def test_what_is_disabled_and_not_there_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "p.yaml", "extends: default\ndisable:\n  keys: [email]\n  patterns: [emial]\n")
    assert refused(path) == ["p.yaml:4: disable.patterns[0]: is not in what this policy extends; remove it"]


def test_files_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "extends: b.yaml\n")
    write(tmp_path / "b.yaml", "extends: a.yaml\n")
    assert refused(tmp_path / "a.yaml") == ["b.yaml:1: extends: leads back to this file; remove it"]


def test_a_policy_is_asked_for_its_needs_once_it_is_whole(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "hash: {key: 0123456789abcdef}\n")
    text = "keys: [{names: [a1], action: hash}]\n"
    assert load_policy(write(tmp_path / "with.yaml", "extends: base.yaml\n" + text)).hash
    (problem,) = refused(write(tmp_path / "without.yaml", "extends: default\n" + text))
    assert problem.startswith("without.yaml:1: hash: is missing, and a rule hashes; write")


def test_a_policy_that_is_not_whole_does_not_scrub() -> None:
    with pytest.raises(ValueError, match="made whole"):
        Scrubber(Policy(extends=("default",)))


def test_the_merged_policy_reads_as_the_same_policy_and_shows_no_key(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.yaml", "extends: gdpr\nmode: observe\nkeys: [{names: [alpha]}]\nhash: {key: 0123456789abcdefX}\n"
    )
    text = read_policy(path).as_yaml()
    assert "0123456789abcdefX" not in text
    assert f"# from {path}" in text
    assert "# from secrets-only" in text
    assert loads(text.replace("'**********'", "0123456789abcdefX"), Policy) == load_policy(path)


def test_what_is_allowed_and_denied_adds_up(tmp_path: Path) -> None:
    write(
        tmp_path / "base.yaml",
        """\
        allow: {values: [a@x.io], shapes: [b], documented: true}
        deny: [{name: one, values: [alpha]}, {name: two, values: [beta]}]
        min_confidence: context
        """,
    )
    policy = load_policy(
        write(
            tmp_path / "p.yaml",
            """\
            extends: [base.yaml, default]
            disable: {deny: [two]}
            allow: {values: [c@x.io, a@x.io]}
            deny: [{name: three, values: [gamma]}]
            """,
        )
    )
    assert policy.allow.values == ("c@x.io", "a@x.io")
    assert policy.allow.shapes == ("b",)
    assert policy.allow.documented
    assert [rule.name for rule in policy.deny] == ["three", "one"]
    assert policy.min_confidence == "context"
    own = write(tmp_path / "q.yaml", "extends: base.yaml\nallow: {documented: false}\nmin_confidence: shape\n")
    assert not load_policy(own).allow.documented
    assert load_policy(own).min_confidence == "shape"
