"""Policy files: read, and merged with what they extend.

A policy extends presets (the YAML files in `presets/`) and other files. The merged policy has
- of each list (`keys`, `patterns`, `keep` …) its own rules first, then those of what it extends, in the order given;
  the first rule that applies to a thing decides, so a policy overrides what it extends by saying otherwise;
- less what `disable` names, and less rules that stand there twice;
- of `allow` the values and shapes of all;
- of all else (`mode`, `hash` …) what it says itself, or what the first of those says that it extends.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml.comments import CommentedSeq

from scrubbers.paths import folded
from scrubbers.policy import Allow, Disable, KeepRule, KeyRule, PatternRule, Policy
from settings import Node, Problem, Settings, SettingsError, as_yaml, read, validate, validate_data

PRESETS: Mapping[str, Path] = {path.stem: path for path in sorted(Path(__file__).with_name("presets").glob("*.yaml"))}
"""The policies that come with the program, by name."""

MAX_FILES = 16

_LISTS = [name for name, info in Policy.model_fields.items() if isinstance(info.default, tuple) and name != "extends"]

Rule: TypeAlias = Settings


def load_policy(path: Path | str | None = None) -> Policy:
    """The policy in a file, or a preset by its name, with all that it extends; without a path the default.

    Raises settings.SettingsError with everything wrong in it.
    """
    return read_policy(path_of(str(path or "default"))).policy


def path_of(name: str, folder: Path | None = None) -> Path:
    """The file of a preset, or the file with this name; a relative one begins at `folder`."""
    return PRESETS.get(name, (folder or Path()) / name)


@dataclass(slots=True)
class Loaded:
    """A policy, and where it comes from."""

    policy: Policy
    files: tuple[Path, ...]  # all that were read
    origins: Mapping[str, Sequence[str]]  # by list, for each rule: the preset or file that it stands in

    def as_yaml(self) -> str:
        """YAML of the merged policy, with the origin of each rule as a comment; secrets are stars."""
        data = self.policy.model_dump(mode="json", exclude_defaults=True)
        for name, origins in self.origins.items():
            if name not in data:
                continue
            data[name] = CommentedSeq(data[name])
            for number, (origin, before) in enumerate(zip(origins, (None, *origins), strict=False)):
                if origin != before:
                    data[name].yaml_set_comment_before_after_key(number, before=f"from {origin}", indent=2)
        return as_yaml({"version": 1, **data})


def read_policy(path: Path) -> Loaded:
    """Read a policy with all that it extends. Raises settings.SettingsError."""
    reading = _Reading()
    merged = reading.file(path, ())
    if reading.problems or merged is None:
        raise SettingsError(reading.problems)
    return Loaded(merged.policy, tuple(dict.fromkeys(reading.files)), merged.origins)


@dataclass(slots=True)
class _Merged:
    policy: Policy
    said: frozenset[str]  # the fields that it, or what it extends, says
    origins: dict[str, list[str]]


@dataclass(slots=True)
class _Reading:
    """All files of one policy, and what is wrong in any of them."""

    files: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def file(self, path: Path, within: tuple[Path, ...]) -> _Merged | None:
        self.files.append(path)
        try:
            root = read(path)
            own = validate(root, Policy, str(path))
        except SettingsError as error:
            self.problems += error.problems
            return None
        label = path.stem if path in PRESETS.values() else str(path)
        bases: list[_Merged] = []
        for number, name in enumerate(own.extends):
            base = self._base(path, root, number, name, (*within, path))
            if base is not None:
                bases.append(base)
        if len(bases) < len(own.extends):
            return None  # what is wrong in them was told
        return self._merge(own, root, path, label, bases)

    def _base(self, path: Path, root: Node, number: int, name: str, within: tuple[Path, ...]) -> _Merged | None:
        is_file = "/" in name or name.endswith((".yaml", ".yml"))
        base = path.parent / name if is_file else PRESETS.get(name)
        wrong = None
        if base is None:
            wrong = f"is no preset; write one of {', '.join(PRESETS)}, or a file with its ending (base.yaml)"
        elif base.resolve() in {each.resolve() for each in within}:
            wrong = "leads back to this file; remove it"
        elif len(self.files) >= MAX_FILES:
            wrong = f"makes more than {MAX_FILES} files for one policy; put some of them together"
        elif not base.is_file():
            wrong = "is no file; write a path that begins at the folder of this one"
        if wrong is not None or base is None:
            self._problem(path, root, ("extends", number), wrong or "")
            return None
        return self.file(base, within)

    def _merge(self, own: Policy, root: Node, path: Path, label: str, bases: Sequence[_Merged]) -> _Merged | None:
        unused = _names_to_disable(own.disable)
        data: dict[str, Any] = {}
        origins: dict[str, list[str]] = {}
        for name in _LISTS:
            rules = [(rule, label) for rule in getattr(own, name)]
            for base in bases:
                for rule, origin in zip(getattr(base.policy, name), base.origins[name], strict=True):
                    left = _without(rule, name, own.disable, unused)
                    if left is not None and all(left != other for other, _ in rules):
                        rules.append((left, origin))
            data[name] = tuple(rule for rule, _ in rules)
            origins[name] = [origin for _, origin in rules]
        for where, number, _ in sorted(unused):
            self._problem(path, root, ("disable", where, number), "is not in what this policy extends; remove it")
        said = set(own.model_fields_set) - {"extends", "disable", *_LISTS}
        data |= {name: getattr(own, name) for name in said}
        data["allow"] = _allow([own, *(base.policy for base in bases)])
        said |= {"allow"}
        for base in bases:
            data |= {name: getattr(base.policy, name) for name in base.said - said}
            said |= base.said
        try:
            policy = validate_data(data, root, Policy, str(path))
        except SettingsError as error:
            self.problems += error.problems
            return None
        return _Merged(policy, frozenset(said), origins)

    def _problem(self, path: Path, root: Node, where: tuple[str | int, ...], message: str) -> None:
        node = root
        shown = ""
        for part in where:
            below = dict(node.children()).get(part)
            if below is None:
                break  # a single name without brackets
            node = below
            shown += f"[{part}]" if isinstance(part, int) else f".{part}"
        self.problems.append(Problem(str(path), node.line, node.column, shown.lstrip("."), message))


def _allow(policies: Sequence[Policy]) -> Allow:
    """Values and shapes of all, and what the first says that says something of documented values."""
    allows = [policy.allow for policy in policies]
    said = [each.documented for each in allows if "documented" in each.model_fields_set]
    values = tuple(dict.fromkeys(value for each in allows for value in each.values))
    shapes = tuple(dict.fromkeys(shape for each in allows for shape in each.shapes))
    if said:
        return Allow(values=values, shapes=shapes, documented=said[0])
    return Allow(values=values, shapes=shapes)


def _names_to_disable(disable: Disable) -> set[tuple[str, int, str]]:
    return {
        (where, number, folded(name))
        for where in Disable.model_fields
        for number, name in enumerate(getattr(disable, where))
    }


def _without(rule: Rule, where: str, disable: Disable, unused: set[tuple[str, int, str]]) -> Rule | None:
    """What is left of a rule; `unused` loses the names that were found."""
    names = {folded(name): number for number, name in enumerate(getattr(disable, where, ()))}

    def gone(name: str) -> bool:
        number = names.get(folded(name))
        unused.discard((where, -1 if number is None else number, folded(name)))
        return number is not None

    if isinstance(rule, KeyRule | KeepRule):
        left = tuple(name for name in rule.names if not gone(name))
        if left == rule.names:
            return rule
        return rule.model_copy(update={"names": left}) if left else None
    return None if any(gone(name) for name in _names(rule)) else rule


def _names(rule: Rule) -> Iterable[str]:
    return [rule.called if isinstance(rule, PatternRule) else str(getattr(rule, "name", ""))]
