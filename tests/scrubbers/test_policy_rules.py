"""What the rules of a policy mean: precedence, values allowed or denied, confidence, scopes, rules that only count."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from scrubbers import Policy, Scrubber, load_policy
from scrubbers.detectors import DETECTORS
from scrubbers.detectors.detector import Confidence
from scrubbers.plan import Plan
from settings import SettingsError, loads


def scrubber(**policy: Any) -> Scrubber:
    return Scrubber(Policy.model_validate(policy))


def became(record: str, **policy: Any) -> str:
    """What a record becomes, in text and as the value of a JSON string's member."""
    by = scrubber(**policy)
    clean = by.scrub(record.encode() + b"\n").body.decode().removesuffix("\n")
    nested = by.scrub(json.dumps({"m": record}).encode() + b"\n").body
    assert json.loads(nested) == {"m": clean}
    return clean


EMAIL = [{"detector": "email"}]


class TestPrecedence:
    """deny > keep > keys > allow > patterns; among spans of one kind the longest."""

    def test_keep_wins_over_keys(self) -> None:
        by = scrubber(keys=[{"names": ["token"]}], keep=[{"names": ["token"], "shape": "[0-9]{4}"}])
        assert by.scrub(b'{"token":"1234"}\n').body == b'{"token":"1234"}\n'
        assert by.scrub(b'{"token":"12345"}\n').body == b"{}\n"
        assert by.scrub(b"token=1234 token=abcd\n").body == b"token=1234 token=[REDACTED:token]\n"
        assert by.scrub(b'{"a":"token: 1234, token: abcd"}\n').body == b'{"a":"token: 1234, token: [REDACTED:token]"}\n'

    def test_keep_wins_over_patterns(self) -> None:
        by = scrubber(patterns=EMAIL, keep=[{"names": ["contact"], "shape": r".*@x\.io"}])
        assert by.scrub(b'{"contact":"bob@x.io","m":"bob@x.io"}\n').body == (
            b'{"contact":"bob@x.io","m":"[REDACTED:email]"}\n'
        )

    def test_deny_wins_over_keep_and_allow(self) -> None:
        by = scrubber(
            patterns=EMAIL,
            allow={"values": ["bob@x.io"]},
            keep=[{"names": ["order"], "shape": ".*"}],
            deny=[{"name": "customer", "values": ["bob"]}],
        )
        assert by.scrub(b'{"order":"for bob","m":"bob@x.io"}\n').body == (
            b'{"order":"for [REDACTED:customer]","m":"[REDACTED:customer]@x.io"}\n'
        )

    def test_keys_win_over_what_is_allowed(self) -> None:
        by = scrubber(keys=[{"names": ["email"]}], patterns=EMAIL, allow={"values": ["bob@x.io"]})
        assert by.scrub(b'{"email":"bob@x.io","m":"bob@x.io"}\n').body == b'{"m":"bob@x.io"}\n'

    def test_keys_win_over_patterns(self) -> None:
        by = scrubber(keys=[{"names": ["contact"], "action": "replace"}], patterns=EMAIL)
        assert by.scrub(b'{"contact":"bob@x.io"}\n').body == b'{"contact":"[REDACTED:contact]"}\n'

    def test_the_longest_span_wins(self) -> None:
        deny = [{"name": "short", "values": ["acme"]}, {"name": "long", "values": ["acme corp"]}]
        assert became("of Acme Corp and acme", deny=deny) == "of [REDACTED:long] and [REDACTED:short]"

    def test_of_rules_for_one_name_the_first_decides(self) -> None:
        rules = [{"detector": "email", "replacement": "[m]"}, {"detector": "email"}]
        assert became("a bob@x.io", patterns=rules) == "a [m]"


class TestNames:
    """What a name with `*` in it takes: in JSON, flat, in arrays, in JSON in a string, in text, encoded."""

    @staticmethod
    def taken(name: str, record: str) -> str:
        clean = scrubber(keys=[{"names": [name], "replacement": "[x]", "action": "replace"}]).scrub(
            record.encode() + b"\n"
        )
        assert not clean.quarantined
        return clean.body.decode().removesuffix("\n")

    @pytest.mark.parametrize(
        ("name", "record", "left"),
        [
            ("*_token", '{"my_token":"a","csrfToken":"b","token":"c","tokens":"d"}', "[x] [x] [x] d"),
            ("card*", '{"cardNo":"a","Card-Holder":"b","my_card":"c"}', "[x] [x] c"),
            ("*secret*", '{"a":{"my_secret_x":"a"},"sec_ret":"b","secre":"c"}', "[x] [x] c"),
            ("x_*_key", '{"X-Api-Key":"a","xkey":"b","x_key_y":"c"}', "[x] [x] c"),
            ("user.*", '{"user":{"a":"a","b":[{"c":"b"}]},"users":{"a":"c"},"user":"d"}', "[x] [x] c d"),
            ("http.request.header.*", '{"http.request.header.x-y":"a","http.request":{"header":{"z":"b"}}}', "[x] [x]"),
            ("http.request.header.*", '{"http.request.header.a.b.c":"a","request.header.x":"b"}', "[x] b"),
            ("items.*.email", '{"items":[{"email":"a"},{"x":{"email":"b"}}],"items.3.email":"c"}', "[x] [x] [x]"),
            ("items.*.email", '{"items":{"x":{"y":{"email":"a"}}},"email":"b"}', "a b"),
            ("items[].email", '{"items":[{"email":"a"}],"email":"b"}', "[x] b"),
            ("us*.name", '{"user":{"name":"a"},"us_x.name":"b","x":{"name":"c"}}', "[x] [x] c"),
            ("user.a*", '{"user":{"ab":"a","b":"b"}}', "[x] b"),
        ],
    )
    def test_in_json(self, name: str, record: str, left: str) -> None:
        def values(tree: Any) -> list[str]:
            if isinstance(tree, list):
                return [each for item in tree for each in values(item[1] if isinstance(item, tuple) else item)]
            return [tree]

        def read(text: str) -> str:
            return " ".join(values(json.loads(text, object_pairs_hook=lambda pairs: list(pairs))))

        assert read(self.taken(name, record)) == left
        nested = json.dumps({"log": record})
        assert read(json.loads(self.taken(name, nested))["log"]) == left

    @pytest.mark.parametrize(
        ("name", "text", "left"),
        [
            ("*_token", "my_token=abc the token: x tokens=y", "my_token=[x] the token: [x] tokens=y"),
            ("card*", "card_no=12, card holder: x mycard=1", "card_no=[x], card holder: [x] mycard=1"),
            ("card*", "/pay?card%5Fno=12&x=1 {'card no': 'x'}", "/pay?card%5Fno=[x]&x=1 {'card no': '[x]'}"),
            ("user.*", "user.name=bob user.a.b=c users.a=d", "user.name=[x] user.a.b=[x] users.a=d"),
            ("*secret*", "a secret word, my_secret_x: a", "a secret word, my_secret_x: [x]"),
        ],
    )
    def test_in_text(self, name: str, text: str, left: str) -> None:
        assert self.taken(name, text) == left
        assert json.loads(self.taken(name, json.dumps({"m": text}))) == {"m": left}

    def test_a_name_that_is_written_out_wins_over_one_with_a_star(self) -> None:
        by = scrubber(
            keys=[{"names": ["*_token", "user.*"]}, {"names": ["csrf_token", "user.id"], "action": "replace"}]
        )
        assert by.scrub(b'{"csrf_token":"a","a_token":"b","user":{"id":1,"n":2}}\n').body == (
            b'{"csrf_token":"[REDACTED:csrf_token]","user":{"id":"[REDACTED:user.id]"}}\n'
        )

    def test_among_names_with_a_star_the_first_wins(self) -> None:
        by = scrubber(keys=[{"names": ["my_*_token"], "action": "replace"}, {"names": ["*_token"]}])
        assert by.scrub(b'{"my_x_token":"a","a_token":"b"}\n').body == b'{"my_x_token":"[REDACTED:my_*_token]"}\n'

    def test_an_ending_is_decided_on_the_fast_path(self) -> None:
        assert scrubber(keys=[{"names": ["*_token"]}]).scrub(b'{"a_token":"x","n":1}\n').deep == 0

    @pytest.mark.parametrize("name", ["*", "a*b", "*.*", "ab.*", "*_id", "x.**"])
    def test_a_name_without_a_literal_is_refused(self, name: str) -> None:
        with pytest.raises(SettingsError, match="at least three letters or digits"):
            loads(json.dumps({"keys": [{"names": [name]}]}), Policy)

    def test_what_stands_before_the_key_s_end_is_not_of_its_value(self) -> None:
        by = scrubber(keys=[{"names": ["tok*"], "action": "replace"}], patterns=EMAIL)
        once = by.scrub(b"tok bob@x.io: abc\n").body
        assert b"bob@x.io" not in once
        assert by.scrub(once).body == once

    def test_an_escaped_quote_ends_no_key(self) -> None:
        by = scrubber(keys=[{"names": ["tok*"], "action": "replace"}])
        once = by.scrub(b'"log":"{\\"tokens\\":1.10}\\n","stream":"stdout"}\n').body
        assert once == b'"log":"{\\"tokens\\":\\"[REDACTED:tok*]\\"}\\n","stream":"stdout"}\n'
        assert by.scrub(once).body is once

    def test_what_is_kept_may_have_a_star(self) -> None:
        by = scrubber(patterns=EMAIL, keep=[{"names": ["*_id", "meta.*"], "shape": ".*"}])
        record = b'{"an_id":"bob@x.io","meta":{"a":{"b":"bob@x.io"}},"id_x":"bob@x.io"}\n'
        assert by.scrub(record).body == record.replace(b'"id_x":"bob@x.io"', b'"id_x":"[REDACTED:email]"')


class TestAllow:
    def test_values_are_compared_in_canonical_form(self) -> None:
        rules = [{"detector": "email", "allow": {"values": ["Support@Example.com"]}}, {"detector": "payment_card"}]
        text = "support@example.COM bob@example.com 4111 1111 1111 1111"
        allowed = "support@example.COM [REDACTED:email] 4111 1111 1111 1111"
        assert became(text, patterns=rules, allow={"values": ["4111111111111111"]}) == allowed

    def test_shapes_must_match_all_of_the_value(self) -> None:
        policy = {"patterns": EMAIL, "allow": {"shapes": [r"[a-z]+@corp\.example"]}}
        assert became("bob@corp.example and bob@corp.example.org", **policy) == (
            "bob@corp.example and [REDACTED:email]"
        )

    def test_a_rule_allows_for_itself_alone(self) -> None:
        rules = [{"detector": "ipv4", "allow": {"shapes": [".*"]}}, {"detector": "email"}]
        assert became("81.2.69.142 x bob@x.io", patterns=rules) == "81.2.69.142 x [REDACTED:email]"

    def test_what_is_encoded_is_compared_decoded(self) -> None:
        by = scrubber(patterns=EMAIL, allow={"values": ["bob@x.io"]})
        record = b'{"m":"bob\\u0040x.io","n":"tim\\u0040x.io","q":"/?m=bob%40x.io"}\n'
        assert by.scrub(record).body == b'{"m":"bob\\u0040x.io","n":"[REDACTED:email]","q":"/?m=bob%40x.io"}\n'

    def test_documented_values_stay_if_the_policy_says_so_and_a_rule_may_say_otherwise(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        published = replace(DETECTORS["email"], documented=lambda value: value.endswith(b"@example.com"))
        monkeypatch.setitem(DETECTORS, "email", published)
        text = "bob@example.com tim@x.io"
        assert became(text, patterns=EMAIL) == "[REDACTED:email] [REDACTED:email]"
        assert became(text, patterns=EMAIL, allow={"documented": True}) == "bob@example.com [REDACTED:email]"
        strict = [{"detector": "email", "allow": {"documented": False}}]
        assert became(text, patterns=strict, allow={"documented": True}) == "[REDACTED:email] [REDACTED:email]"

    def test_a_shape_that_takes_for_ever_puts_the_record_in_quarantine_and_no_other(self) -> None:
        by = scrubber(patterns=EMAIL, allow={"shapes": [r"(?:a|aa)+@x\.i[p-z]"]})
        scrubbed = by.scrub(b"x\n" + b"a" * 40 + b"@x.io\nbob@x.io\n")
        assert [(each.index, each.reason) for each in scrubbed.quarantined] == [(1, "pattern timed out")]
        assert scrubbed.body == b"x\n[REDACTED:email]\n"


class TestDeny:
    DENY = ({"name": "customer", "values": ["ACME Corp", "Müller & Söhne", "12345"]},)

    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("for acme corp, and ACME CORP.", "for [REDACTED:customer], and [REDACTED:customer]."),
            ("MÜLLER & SÖHNE", "[REDACTED:customer]"),
            ("acme corporation of acme_corp at 123456 or x12345", None),
            ("x\nacme corp", "x\n[REDACTED:customer]"),
            ("12345-1", "[REDACTED:customer]-1"),
        ],
    )
    def test_words_go_wherever_they_stand(self, text: str, clean: str | None) -> None:
        by = scrubber(deny=self.DENY)
        record = json.dumps({"m": text, "l": [text]}).encode() + b"\n"
        assert json.loads(by.scrub(record).body) == {"m": clean or text, "l": [clean or text]}

    def test_a_number_becomes_a_string(self) -> None:
        by = scrubber(deny=self.DENY)
        assert by.scrub(b'{"a":12345,"b":[12345,1],"c":12345.5}\n').body == (
            b'{"a":"[REDACTED:customer]","b":["[REDACTED:customer]",1],"c":"[REDACTED:customer]"}\n'
        )

    def test_key_names_are_no_exception(self) -> None:
        assert scrubber(deny=self.DENY).scrub(b'{"acme corp":1}\n').body == b'{"[REDACTED:customer]":1}\n'

    def test_the_text_of_a_token_is_not_looked_at(self) -> None:
        deny = [{"name": "email", "values": ["email", "customer"]}, {"name": "customer", "values": ["acme"]}]
        assert became("email of acme", deny=deny) == "[REDACTED:email] of [REDACTED:customer]"

    def test_thousands_of_values_are_scanned_as_fast_as_one(self) -> None:
        """Not a measure of speed (see docs/performance.md): they share one literal matcher, so nothing grows but it."""
        plan = Plan(Policy.model_validate({"deny": [{"name": "id", "values": [f"cust{n:05}x" for n in range(3000)]}]}))
        assert len(plan.scan(b"a cust02999x b\n")) == 1
        assert len(plan._databases) == len(Plan(Policy.model_validate({"deny": self.DENY}))._databases)

    @pytest.mark.parametrize("value", ["ab", "a\"b'", "tab\there", " x x ", "null", "1.5", "-12", "x" * 300])
    def test_what_cannot_be_denied_is_refused(self, value: str) -> None:
        with pytest.raises(SettingsError):
            loads(json.dumps({"deny": [{"name": "x", "values": [value]}]}), Policy)


class TestConfidence:
    def test_triggers_below_the_threshold_are_left_out(self) -> None:
        for level in Confidence:
            policy = Policy.model_validate(
                {"patterns": [{"detector": name} for name in DETECTORS], "min_confidence": level.name.lower()}
            )
            wanted = {
                (name, trigger.find)
                for name, detector in DETECTORS.items()
                for trigger in detector.triggers
                if trigger.confidence >= level
            }
            compiled = {(rule.name, find) for finders in Plan(policy).finders for find, rule, *_ in finders}
            assert compiled == wanted

    def test_a_rule_has_its_own_threshold(self) -> None:
        rules = [{"detector": "email", "min_confidence": "shape"}]
        assert became("bob@x.io", patterns=rules, min_confidence="checksum") == "[REDACTED:email]"
        weak = DETECTORS["email"].triggers[0].confidence is Confidence.SHAPE
        rules = [{"detector": "email", "min_confidence": "checksum"}]
        assert (became("bob@x.io", patterns=rules) == "bob@x.io") is weak


class TestScope:
    RULES = (
        {"detector": "email", "replacement": "[m]", "scope": {"sources": ["web-*"], "signals": ["logs"]}},
        {"detector": "ipv4", "scope": {"resource": {"k8s.namespace.name": ["shop", "team-*"]}}},
    )

    @pytest.mark.parametrize(
        ("signal", "source", "resource", "left"),
        [
            ("logs", "web-1", (), "[m] 81.2.69.142"),
            ("traces", "web-1", (), "bob@mail.io 81.2.69.142"),
            ("logs", "db", (("k8s.namespace.name", "team-a"), ("x", "y")), "bob@mail.io [REDACTED:ipv4]"),
            ("logs", "db", (("k8s.namespace.name", "other"),), "bob@mail.io 81.2.69.142"),
            ("logs", None, None, "[m] [REDACTED:ipv4]"),  # what is not told may be anything
        ],
    )
    def test_a_rule_applies_where_all_holds(
        self, signal: str, source: str | None, resource: tuple[tuple[str, str], ...] | None, left: str
    ) -> None:
        by = scrubber(patterns=self.RULES)
        for _ in range(2):
            body = by.scrub(b"bob@mail.io 81.2.69.142\n", signal=signal, source=source, resource=resource).body
            assert body.decode() == left + "\n"

    def test_the_first_rule_that_applies_decides(self) -> None:
        by = scrubber(
            keys=[
                {"names": ["email"], "action": "replace", "scope": {"sources": ["a"]}},
                {"names": ["email"], "scope": {"sources": ["b"]}},
            ],
            deny=[{"name": "x", "values": ["acme"], "scope": {"signals": ["traces"]}}],
        )
        record = b'{"email":"x","n":"acme"}\n'
        assert by.scrub(record, source="a", resource=()).body == b'{"email":"[REDACTED:email]","n":"acme"}\n'
        assert by.scrub(record, source="b", resource=()).body == b'{"n":"acme"}\n'
        assert by.scrub(record, source="c", resource=()).body is record
        assert by.scrub(record, source="c", signal="traces").body == b'{"email":"x","n":"[REDACTED:x]"}\n'

    def test_plans_are_shared_by_sources_for_which_the_same_rules_apply(self) -> None:
        by = scrubber(patterns=self.RULES)
        for number in range(50):
            by.scrub(b"x\n", source=f"web-{number}", resource=())
            by.scrub(b"x\n", source=f"db-{number}", resource=())
        assert len(by._parts) == 3

    def test_what_origins_are_remembered_is_bounded(self) -> None:
        by = scrubber(patterns=self.RULES)
        for number in range(5000):
            by.scrub(b"x\n", source=str(number), resource=())
        assert len(by._known) <= 4097

    PATHS = b'{"req":{"headers":{"x":["a",{"y":"eva@x.io"}]}},"audit":{"by":"tim@x.io"},"m":"bob@x.io"}\n'

    def test_include_is_the_value_of_a_key_and_all_below(self) -> None:
        by = scrubber(patterns=[{"detector": "email", "scope": {"include": ["req.headers", "by"]}}])
        assert by.scrub(self.PATHS).body == self.PATHS.replace(b"eva@x.io", b"[REDACTED:email]").replace(
            b"tim@x.io", b"[REDACTED:email]"
        )
        assert by.scrub(b"mail bob@x.io\n").body == b"mail bob@x.io\n"

    def test_exclude_is_the_value_of_a_key_and_all_below(self) -> None:
        by = scrubber(patterns=[{"detector": "email", "scope": {"exclude": ["headers", "audit"]}}])
        assert by.scrub(self.PATHS).body == self.PATHS.replace(b"bob@x.io", b"[REDACTED:email]")
        assert by.scrub(b"mail bob@x.io\n").body == b"mail [REDACTED:email]\n"

    def test_the_path_goes_on_into_json_in_a_string(self) -> None:
        inner = json.dumps({"by": "tim@x.io", "to": "eva@x.io"})
        record = json.dumps({"audit": {"note": inner}, "log": inner}).encode() + b"\n"
        left = scrubber(patterns=[{"detector": "email", "scope": {"exclude": ["audit.note.by", "log"]}}]).scrub(record)
        assert json.loads(json.loads(left.body)["audit"]["note"]) == {"by": "tim@x.io", "to": "[REDACTED:email]"}
        assert json.loads(left.body)["log"] == inner

    def test_elsewhere_the_next_rule_decides(self) -> None:
        rules = [
            {"detector": "email", "replacement": "[m]", "scope": {"include": ["audit"]}},
            {"detector": "email"},
        ]
        assert scrubber(patterns=rules).scrub(self.PATHS).body == self.PATHS.replace(b"tim@x.io", b"[m]").replace(
            b"eva@x.io", b"[REDACTED:email]"
        ).replace(b"bob@x.io", b"[REDACTED:email]")


class TestObserve:
    def test_what_an_observed_rule_finds_is_counted_and_stays(self) -> None:
        by = scrubber(patterns=[{"detector": "email", "mode": "observe"}, {"detector": "ipv4"}])
        scrubbed = by.scrub(b"bob@x.io 81.2.69.142 eva@x.io\n")
        assert scrubbed.body == b"bob@x.io [REDACTED:ipv4] eva@x.io\n"
        assert scrubbed.findings == {("email", "observe"): 2, ("ipv4", "replace"): 1}

    def test_an_observed_rule_keeps_nothing_from_being_enforced(self) -> None:
        by = scrubber(
            keys=[{"names": ["note"], "mode": "observe"}],
            patterns=EMAIL,
            deny=[{"name": "mail", "values": ["bob@x.io and"], "mode": "observe"}],
        )
        scrubbed = by.scrub(b'{"note":"bob@x.io and more"}\n')
        assert scrubbed.body == b'{"note":"[REDACTED:email] and more"}\n'
        # It counts what is left for it: what the enforced rules take is theirs.
        assert scrubbed.findings == {("email", "replace"): 1, ("key:note", "observe"): 1}

    def test_of_rules_for_one_name_the_first_decides_also_whether_it_is_enforced(self) -> None:
        first = scrubber(keys=[{"names": ["email"], "mode": "observe"}, {"names": ["email", "phone"]}])
        scrubbed = first.scrub(b'{"email":"x","phone":"1"}\n')
        assert scrubbed.body == b'{"email":"x"}\n'
        assert scrubbed.findings == {("key:email", "observe"): 1, ("key:phone", "delete"): 1}

    def test_nothing_goes_to_quarantine_for_an_observed_rule(self) -> None:
        rule = {"detector": "email", "mode": "observe", "allow": {"shapes": [r"(?:a|aa)+@x\.i[p-z]"]}}
        block = b"a" * 40 + b"@x.io\n"
        scrubbed = scrubber(patterns=[rule]).scrub(block)
        assert scrubbed.body is block
        assert scrubbed.quarantined == ()

    def test_a_policy_that_observes_counts_all_as_observed(self) -> None:
        policy = load_policy().model_copy(update={"mode": "observe"})
        block = b'{"email":"x","m":"81.2.69.142"}\n'
        scrubbed = Scrubber(policy).scrub(block)
        assert scrubbed.body is block
        assert scrubbed.findings == {("key:email", "observe"): 1, ("ipv4", "observe"): 1}


class TestOwnPatterns:
    STAFF = ({"name": "staff", "regex": r"\bEMP-?\d{5}\b"},)

    @pytest.mark.parametrize(
        ("text", "left"),
        [
            ("by EMP12345, EMP-54321.", "by [REDACTED:staff], [REDACTED:staff]."),
            ("TEMP12345 EMP1234 EMP123456", "TEMP12345 EMP1234 EMP123456"),
            ("one\nEMP12345", "one\n[REDACTED:staff]"),
            ("user [EMP12345] é EMP12345", "user [[REDACTED:staff]] é [REDACTED:staff]"),
            ("/?x=EMP%31%32345&y=1", "/?x=[REDACTED:staff]&y=1"),
        ],
    )
    def test_a_pattern_finds_in_text_in_json_and_encoded(self, text: str, left: str) -> None:
        by = scrubber(patterns=self.STAFF)
        for record in ({"m": text}, {"l": [{"x": text}, 1]}, {"log": json.dumps({"m": text})}):
            clean = json.loads(by.scrub(json.dumps(record).encode() + b"\n").body)
            assert clean == json.loads(
                json.dumps(record)
                .replace(json.dumps(text)[1:-1], json.dumps(left)[1:-1])
                .replace(json.dumps(json.dumps(text)[1:-1])[1:-1], json.dumps(json.dumps(left)[1:-1])[1:-1])
            )
        if "\n" not in text:
            assert by.scrub(text.encode() + b"\n").body.decode() == left + "\n"

    def test_plain_json_and_text_are_decided_on_the_fast_path(self) -> None:
        by = scrubber(patterns=self.STAFF)
        assert by.scrub(b'{"m":"by EMP12345 ok","n":[1,"EMP54321"]}\nby EMP12345 ok\n').deep == 0

    def test_a_number_becomes_a_string(self) -> None:
        by = scrubber(patterns=[{"name": "code", "regex": r"\b77\d{4}\b"}])
        assert by.scrub(b'{"a":771234,"b":[771234,1],"c":"x 771234"}\n').body == (
            b'{"a":"[REDACTED:code]","b":["[REDACTED:code]",1],"c":"x [REDACTED:code]"}\n'
        )

    def test_only_the_group_value_is_taken_if_there_is_one(self) -> None:
        rule = {"name": "room", "regex": r"room (?P<value>\d+)( of|,)", "action": "mask", "keep_last": 1}
        assert became("room 1234, room 99 of", patterns=[rule]) == "room ***4, room *9 of"

    def test_check_digits(self) -> None:
        rule = {"name": "imei", "regex": r"\b\d{2}-?\d{6}-?\d{6}-?\d\b", "validator": "luhn"}
        assert became("490154203237518 and 49-015420-323751-9", patterns=[rule]) == (
            "[REDACTED:imei] and 49-015420-323751-9"
        )

    def test_a_context_word_stands_near_in_text_or_is_the_key(self) -> None:
        by = scrubber(patterns=[{"name": "badge", "regex": r"\b\d{6}\b", "context": ["badge", "Ausweis"]}])
        far = b"x" * 70
        for record, taken in (
            (b"badge no. 123456", True), (b"123456 is the Badges number", True), (b"zbadge 123456", False),
            (b"badge " + far + b" 123456", False), (b'{"badgeNumber":"123456"}', True), (b'{"n":"123456"}', False),
            (b'{"n":"123456","ausweis":1}', True),
        ):  # fmt: skip
            assert (b"[REDACTED:badge]" in by.scrub(record + b"\n").body) is taken

    def test_a_token_is_no_context_and_is_not_looked_at(self) -> None:
        rules = [{"name": "badge", "regex": r"\b\d{6}\b|REDACTED", "context": ["email"]}, {"detector": "email"}]
        by = scrubber(patterns=rules)
        once = by.scrub(b"bob@x.io 123456\n").body
        assert once == b"[REDACTED:email] 123456\n"
        assert by.scrub(once).body is once

    def test_it_sees_one_string_at_a_time(self) -> None:
        by = scrubber(patterns=[{"name": "all", "regex": r"^x+y.*z$"}])
        assert by.scrub(b'{"a":"xyz","b":"axyz","c":"xyza","d":"xx"}\n').body == (
            b'{"a":"[REDACTED:all]","b":"axyz","c":"xyza","d":"xx"}\n'
        )

    def test_what_it_sees_once_something_else_is_gone_goes_too(self) -> None:
        by = scrubber(patterns=[{"name": "code", "regex": r"(?<!@\S+ )\b\d{6}\b"}, {"detector": "email"}])
        once = by.scrub(b"bob@x.io 123456\n")
        assert once.body == b"[REDACTED:email] [REDACTED:code]\n"

    def test_allowed_denied_and_kept_hold_for_it_as_for_detectors(self) -> None:
        policy = {
            "patterns": [{"name": "staff", "regex": r"EMP\d{5}", "allow": {"values": ["EMP00000"]}}],
            "allow": {"shapes": ["EMP9.*"]},
            "keep": [{"names": ["job"], "shape": r"EMP\d+"}],
        }
        assert became("EMP00000 EMP91234 EMP12345 job=EMP12345", **policy) == (
            "EMP00000 EMP91234 [REDACTED:staff] job=EMP12345"
        )

    def test_slow_ones_find_the_same_by_the_reference_path(self) -> None:
        rule = {"name": "twice", "regex": r"\b(\w{3,})=\1\b", "slow": True}
        by = scrubber(patterns=[rule])
        scrubbed = by.scrub(b'{"m":"abc=abc abc=abd"}\nxyz=xyz\nabc\n')
        assert scrubbed.body == b'{"m":"[REDACTED:twice] abc=abd"}\n[REDACTED:twice]\nabc\n'
        assert scrubbed.deep == 2

    def test_one_that_takes_for_ever_puts_its_records_in_quarantine_and_holds_nobody_up(self) -> None:
        by = scrubber(patterns=[{"name": "bad", "regex": r"(?:a|aa)+xy!(?= \d)"}])
        block = b"fine\n" + b"".join(b"a" * (40 + n) + b"xy! \n" for n in range(200)) + b"also fine\n"
        started = time.process_time()
        scrubbed = by.scrub(block)
        assert time.process_time() - started < 10
        assert scrubbed.body.startswith(b"fine\n")
        assert scrubbed.body.endswith(b"also fine\n")
        assert {each.reason for each in scrubbed.quarantined} == {"pattern timed out"}

    @pytest.mark.parametrize(
        ("rule", "wrong"),
        [
            ({"name": "a", "regex": "(abc"}, "patterns[0].regex: is not a regular expression (missing )"),
            ({"name": "a", "regex": r"\d*"}, "patterns[0].regex: has nothing to look for; write at least 3 characters"),
            (
                {"name": "a", "regex": r"(abc)\1"},
                "patterns[0].regex: holds a reference to a group, which cannot be sea",
            ),
            ({"name": "a", "regex": "(?r)abcd"}, "patterns[0].regex: searches backwards, and that cannot be searched"),
            ({"regex": "abcd"}, "patterns[0].name: is missing; write how the pattern is to be called"),
            ({"name": "a"}, "patterns[0].detector: is missing; write the name of a detector, or `regex` and `name`"),
            ({"name": "email", "regex": "abcd"}, "patterns[0].name: is that of a detector; write another one"),
            ({"detector": "email", "regex": "abcd"}, "patterns[0].regex: is for patterns with a `regex`, and this one"),
            (
                {"detector": "email", "context": ["ab"]},
                "patterns[0].context: is for patterns with a `regex`, and this o",
            ),
            (
                {"name": "a", "regex": "abcd", "min_confidence": "shape"},
                "patterns[0].min_confidence: is for detectors;",
            ),
            ({"name": "a", "regex": "abcd", "action": "truncate"}, "patterns[0].action: can be `truncate` for `"),
        ],
    )
    def test_what_is_wrong_with_one_is_told_with_the_mend(self, rule: dict[str, Any], wrong: str) -> None:
        with pytest.raises(SettingsError) as caught:
            loads(json.dumps({"patterns": [rule]}), Policy, name="p.yaml")
        assert str(caught.value).startswith(f"p.yaml:1: {wrong}")

    def test_one_that_is_too_large_is_refused_when_it_is_compiled(self) -> None:
        with pytest.raises(SettingsError, match=r"patterns\.big\.regex: is too large to be looked for"):
            scrubber(patterns=[{"name": "big", "regex": r"x(?:(?:[ab][xy]?c|[bd]{2,9}){20}e){20,32}y"}])
