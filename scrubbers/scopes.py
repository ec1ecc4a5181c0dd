"""Which rules of a policy apply to a batch, and which of them only count."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

from scrubbers.paths import folded
from scrubbers.policy import KeyRule, PatternRule, Policy, Scope

Apart: TypeAlias = frozenset[tuple[str, int]]
"""Rules that do not apply: the list of the policy that they stand in, and their number there."""

_LISTS = ("keys", "patterns", "deny")


class Scopes:
    """The scopes of a policy's rules. What they ask for is the same for all records of a batch."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._scoped: list[tuple[tuple[str, int], Scope]] = [
            ((name, number), rule.scope)
            for name in _LISTS
            for number, rule in enumerate(getattr(policy, name))
            if rule.scope.signals or rule.scope.sources or rule.scope.resource
        ]

        self.attributes = frozenset(name for _, scope in self._scoped for name in scope.resource)
        """The attributes of resources that some scope asks for."""

    def __bool__(self) -> bool:
        return bool(self._scoped)

    def apart(self, signal: str, source: str | None, resource: Mapping[str, str] | None) -> Apart:
        """The rules that do not apply to a batch. What is not known (None) may be anything: they apply."""
        return frozenset(where for where, scope in self._scoped if not _holds(scope, signal, source, resource))

    def policy(self, apart: Apart) -> Policy:
        """The policy without these rules."""
        if not apart:
            return self._policy
        lists = {
            name: tuple(rule for number, rule in enumerate(getattr(self._policy, name)) if (name, number) not in apart)
            for name in _LISTS
        }
        return self._policy.model_copy(update=lists)


def _holds(scope: Scope, signal: str, source: str | None, resource: Mapping[str, str] | None) -> bool:
    return (
        (not scope.signals or signal in scope.signals)
        and (not scope.sources or source is None or any(fnmatchcase(source, each) for each in scope.sources))
        and (resource is None or _has(resource, scope))
    )


def _has(resource: Mapping[str, str], scope: Scope) -> bool:
    return all(
        name in resource and any(fnmatchcase(resource[name], each) for each in values)
        for name, values in scope.resource.items()
    )


def halves(policy: Policy) -> tuple[Policy, Policy | None]:
    """What is enforced, and what is only counted, if anything is.

    Of the rules for one name the first decides, its mode included. Then each half is a policy by itself: so what is
    observed keeps nothing from being enforced.
    """
    keys, patterns = _first_keys(policy.keys), _first_patterns(policy.patterns)
    if policy.mode == "observe":
        return policy.model_copy(update={"keys": keys, "patterns": patterns}), None
    enforced, observed = (
        policy.model_copy(
            update={
                "keys": tuple(rule for rule in keys if rule.mode == mode),
                "patterns": tuple(rule for rule in patterns if rule.mode == mode),
                "deny": tuple(rule for rule in policy.deny if rule.mode == mode),
            }
        )
        for mode in ("enforce", "observe")
    )
    return enforced, observed if observed.keys or observed.patterns or observed.deny else None


def _first_keys(rules: Sequence[KeyRule]) -> tuple[KeyRule, ...]:
    known: set[str] = set()
    first = []
    for rule in rules:
        names = {folded(name): name for name in reversed(rule.names)}
        left = tuple(name for name in rule.names if names[folded(name)] == name and folded(name) not in known)
        known.update(names)
        if left:
            first.append(rule if left == rule.names else rule.model_copy(update={"names": left}))
    return tuple(first)


def _first_patterns(rules: Sequence[PatternRule]) -> tuple[PatternRule, ...]:
    """All up to the first of a name that applies to every path."""
    known: set[str] = set()
    first = []
    for rule in rules:
        if rule.called not in known:
            first.append(rule)
        if not (rule.scope.include or rule.scope.exclude):
            known.add(rule.called)
    return tuple(first)
