"""Retention classes as lifecycle rules of a bucket, beside the rules of others, which stay as they are.

One rule a class: what lies below `{prefix}{class}/` expires after so many days, its old versions a day later, and
uploads that nobody finished are given up. Our rules are known by their ids, which begin with `sluicegate:`. A class
whose objects somebody else's rule expires after the same time needs no rule of ours.

A bucket's configuration is read and written whole and knows no conditions: two that write at once overwrite each other,
so that `Lifecycle.apply` reads again what it has written.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from exporters.exporter import ExportError
from exporters.s3_errors import explain
from exporters.s3_options import S3Options

OURS = "sluicegate:"
_RIGHTS = "allow s3:GetLifecycleConfiguration and s3:PutLifecycleConfiguration for these credentials"
_ATTEMPTS = 4
_OLD_VERSIONS_DAYS = 1

Rule: TypeAlias = dict[str, Any]  # as boto3 reads and writes it
Kind: TypeAlias = Literal["add", "change", "remove", "keep", "covered", "orphan"]


@dataclass(slots=True, frozen=True)
class Change:
    """What a plan says of one retention class.

    add, change, remove: to be written. keep: is as it should be. covered: a rule of somebody else does it (`rule`).
    orphan: a rule of ours for a class that is not configured here; it goes on expiring what that class had stored.
    """

    kind: Kind
    name: str  # the class's
    prefix: str
    after: str = ""  # what is wanted, in words
    before: str = ""
    rule: str = ""


@dataclass(slots=True, frozen=True)
class Plan:
    """A bucket's lifecycle configuration as it should be, and what that changes."""

    rules: list[Rule]
    changes: list[Change]
    others: int  # rules that are not ours: they stand in `rules` as they were
    conflicts: list[str]  # what rules of others do to our objects, in words

    @property
    def to_do(self) -> list[Change]:
        return [change for change in self.changes if change.kind in {"add", "change", "remove"}]

    @property
    def problems(self) -> list[str]:
        """Why retention is not kept as configured; empty if it is."""
        missing = [
            f"{change.prefix} has no rule" if change.kind == "add" else f"{change.prefix} {change.before}"
            for change in self.to_do
            if change.kind != "remove"
        ]
        return [*missing, *self.conflicts]


def plan(
    existing: Sequence[Rule],
    classes: Mapping[str, timedelta],
    prefix: str,
    *,
    uploads: timedelta | None,
    prune: bool = False,
) -> Plan:
    """What is to be done so that each class's objects below `prefix` expire in time.

    `uploads`: after how long unfinished ones are given up; None: never. `prune`: remove rules of ours for classes that
    are not configured.
    """
    wanted = {
        _id(name, prefix): (name, _rule(name, prefix, _days(kept), _days(uploads) if uploads else None))
        for name, kept in classes.items()
    }
    rules: list[Rule] = []
    changes: dict[str, Change] = {}
    others = [rule for rule in existing if not _is_ours(rule, prefix)]
    for rule in existing:
        name, place = _name(rule, prefix), _prefix(rule)
        if rule in others:
            rules.append(rule)
        elif rule["ID"] not in wanted:
            changes[name] = Change("remove" if prune else "orphan", name, place, before=_words(rule))
            if not prune:
                rules.append(rule)
        else:
            after = wanted[rule["ID"]][1]
            same = _facts(after) == _facts(rule)
            changes[name] = Change("keep" if same else "change", name, place, _words(after), _words(rule))
            rules.append(rule if same else after)
    there = {rule.get("ID") for rule in rules}
    for id_, (name, rule) in wanted.items():
        if id_ in there:
            continue
        place = _prefix(rule)
        if covering := [other for other in others if _covers(other, rule)]:
            changes[name] = Change("covered", name, place, _words(rule), rule=_called(covering[0]))
            continue
        changes[name] = Change("add", name, place, _words(rule))
        rules.append(rule)
    ordered = [changes.pop(name) for name in classes] + list(changes.values())
    conflicts = [
        text for _, rule in wanted.values() for other in others if (text := _conflict(other, rule))
    ]  # fmt: skip
    return Plan(rules, ordered, len(others), conflicts)


class Lifecycle:
    """The lifecycle configuration of an S3 exporter's bucket. Calls raise ExportError."""

    def __init__(self, name: str, options: S3Options, classes: Mapping[str, timedelta]) -> None:
        self.name = name
        self.options = options
        self._classes = classes
        self._client = options.client(attempts=_ATTEMPTS)

    def plan(self, *, prune: bool = False) -> Plan:
        """Compare the bucket with the configuration."""
        return self._plan(self._read(), prune)

    def apply(self, *, prune: bool = False) -> Plan:
        """Write what is missing, and return what was still to do when the bucket was read again."""
        found = self._read()
        planned = self._plan(found, prune)
        if not planned.to_do:
            return planned
        size = "TransitionDefaultMinimumObjectSize"  # it belongs to the rules of others, and is lost if not sent again
        kept = {size: found[size]} if size in found else {}
        try:
            if planned.rules:
                self._client.put_bucket_lifecycle_configuration(
                    Bucket=self.options.bucket, LifecycleConfiguration={"Rules": planned.rules}, **kept
                )
            else:
                self._client.delete_bucket_lifecycle(Bucket=self.options.bucket)
        except (ClientError, BotoCoreError) as error:
            raise self._explained(error) from error
        return self.plan(prune=prune)

    def close(self) -> None:
        self._client.close()

    def _plan(self, found: dict[str, Any], prune: bool) -> Plan:
        options = self.options
        return plan(found["Rules"], self._classes, options.prefix, uploads=options.abort_uploads_after, prune=prune)

    def _read(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._client.get_bucket_lifecycle_configuration(Bucket=self.options.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
                return {"Rules": []}
            raise self._explained(error) from error
        except BotoCoreError as error:
            raise self._explained(error) from error
        return {"Rules": [], **found}

    def _explained(self, error: ClientError | BotoCoreError) -> ExportError:
        place = f"{self.name}: {self.options.place}"
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        if code in {"NotImplemented", "MethodNotAllowed"}:
            return ExportError(f"{place}: the server has no lifecycle; set `lifecycle: sweep` ({code})")
        if code in {"MalformedXML", "InvalidArgument", "InvalidRequest"}:
            mend = "`abort_uploads_after: null` leaves out what some servers do not know"
            return ExportError(f"{place}: the server does not take these rules; {mend} ({code})")
        if code in {"AccessDenied", "403"}:
            return ExportError(f"{place}: access is denied; {_RIGHTS} ({code})")
        return explain(error, place)


# Rules ---------------------------------------------------------------------------------------------------------------


def _id(name: str, prefix: str) -> str:
    """Gates that share a bucket have prefixes of their own; a digest of it, since an id has 255 characters at most."""
    return f"{OURS}{name}:{hashlib.sha256(prefix.encode()).hexdigest()[:12]}"


def _rule(name: str, prefix: str, days: int, uploads: int | None) -> Rule:
    rule: Rule = {
        "ID": _id(name, prefix),
        "Status": "Enabled",
        "Filter": {"Prefix": f"{prefix}{name}/"},
        "Expiration": {"Days": days},
        "NoncurrentVersionExpiration": {"NoncurrentDays": _OLD_VERSIONS_DAYS},  # else they stay for good
    }
    if uploads:
        rule["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": uploads}
    return rule


def _days(duration: timedelta) -> int:
    """Stores count in whole days."""
    return math.ceil(duration / timedelta(days=1))


def _is_ours(rule: Rule, prefix: str) -> bool:
    name = _name(rule, prefix)
    return rule.get("ID") == _id(name, prefix) and _prefix(rule) == f"{prefix}{name}/"


def _name(rule: Rule, prefix: str) -> str:
    """The class that a rule of ours is for."""
    return _prefix(rule).removeprefix(prefix).removesuffix("/")


def _prefix(rule: Rule) -> str:
    found = rule.get("Filter", {})
    return str(found.get("Prefix", found.get("And", {}).get("Prefix", rule.get("Prefix", ""))))


def _facts(rule: Rule) -> tuple[object, ...]:
    """What a rule of ours does, however a server spells it."""
    return (rule["Status"], _expires(rule), _of(rule, "NoncurrentVersionExpiration"), _uploads(rule), len(_parts(rule)))


def _parts(rule: Rule) -> set[str]:
    return {name for name, value in rule.items() if value and name not in {"ID", "Status", "Filter", "Prefix"}}


def _of(rule: Rule, part: str) -> int | None:
    return next((value for name, value in rule.get(part, {}).items() if name.endswith("Days")), None)


def _expires(rule: Rule) -> int | None:
    return _of(rule, "Expiration")


def _uploads(rule: Rule) -> int | None:
    found = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
    return None if found is None else int(found)


def _covers(other: Rule, ours: Rule) -> bool:
    """Whether somebody else's rule expires all that ours would, after the same time."""
    return (
        other.get("Status") == "Enabled"
        and set(other.get("Filter", {})) <= {"Prefix"}
        and _prefix(ours).startswith(_prefix(other))
        and _expires(other) == _expires(ours)
    )


def _conflict(other: Rule, ours: Rule) -> str:
    """What somebody else's rule does to our objects before they are due."""
    mine, theirs, days = _prefix(ours), _prefix(other), _expires(other)
    if other.get("Status") != "Enabled" or not (mine.startswith(theirs) or theirs.startswith(mine)):
        return ""
    due = _expires(ours) or 0
    if "Date" in other.get("Expiration", {}):
        return f"rule {_called(other)} of others expires {theirs or 'everything'} at a date, {mine} among it"
    if days is None or days >= due:
        return ""
    some = "" if set(other.get("Filter", {})) <= {"Prefix"} and mine.startswith(theirs) else "some of "
    return f"rule {_called(other)} of others expires {some}{mine} after {_counted(days)}, before the {due} it is kept"


def _called(rule: Rule) -> str:
    return repr(rule["ID"]) if rule.get("ID") else f"for {_prefix(rule) or 'everything'!r}"


def _words(rule: Rule) -> str:
    expires, uploads = _expires(rule), _uploads(rule)
    words = [f"expires after {_counted(expires)}" if expires is not None else "does not expire"]
    old = _of(rule, "NoncurrentVersionExpiration")
    words.append(f"old versions after {_counted(old)}" if old is not None else "old versions stay")
    if uploads is not None:
        words.append(f"unfinished uploads after {_counted(uploads)}")
    if rule.get("Status") != "Enabled":
        words.append("disabled")
    return ", ".join(words)


def _counted(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"
