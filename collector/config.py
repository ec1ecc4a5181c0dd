"""The configuration: one YAML file as frozen models, and the embedded default where there is no file.

Everything has a default but what is read; `sluicegate config show` prints what is in force. Relative paths start at the
working directory, those of the policy and of `${file:…}` at the configuration file.
"""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from collector.address import Listen, host_and_port, is_here
from collector.levels import Level
from collector.own.options import OwnOtlpOptions
from collector.sources.file import FileOptions
from collector.sources.otlp.options import OtlpOptions
from collector.sources.stdin import StdinOptions
from exporters.local import LocalOptions
from exporters.null import NullOptions
from exporters.objects import default_key_file
from exporters.otlp.options import OtlpDestination
from exporters.s3_options import S3Options
from exporters.signals import SIGNALS, Signal
from settings import (
    ByteSize,
    Duration,
    Node,
    Plain,
    Problem,
    Settings,
    SettingsError,
    read,
    refuse,
    to_yaml,
    validate,
)

Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
SourceOptions: TypeAlias = Annotated[FileOptions | StdinOptions | OtlpOptions, Field(discriminator="type")]
ExporterOptions: TypeAlias = Annotated[
    LocalOptions | S3Options | OtlpDestination | NullOptions, Field(discriminator="type")
]

_SECOND = timedelta(seconds=1)


def home() -> Path:
    """Where the embedded default keeps its store, its spool and their keys."""
    if given := os.environ.get("SLUICEGATE_HOME"):
        return Path(given).absolute()
    return Path("/var/lib/sluicegate") if os.geteuid() == 0 else Path.home() / ".local/state/sluicegate"


class SpoolOptions(Settings):
    """Where data is safe until every exporter has confirmed it, and how far the sources have come."""

    directory: Path = Field(default_factory=lambda: home() / "spool")
    """On a local file system; made on first start. Default: `spool` in the gate's home."""
    max_bytes: Annotated[ByteSize, Field(ge=16 << 20)] = 2 << 30
    """What it may take on disk; what then happens says `overflow`."""
    overflow: Literal["block", "drop_oldest"] = "block"
    """When the spool or its disk is full: `block` lets sources wait and tells pushing callers to, so that nothing is
    lost; `drop_oldest` gives up the oldest segments that a destination has not got yet, for those who must not wait."""
    segment_bytes: Annotated[ByteSize, Field(ge=64 << 10)] = 50_000_000
    """A segment is sealed, and becomes one object, when its compressed size reaches this …"""
    segment_age: Annotated[Duration, Field(ge=_SECOND)] = timedelta(seconds=60)
    """… or when it is this old."""

    @model_validator(mode="after")
    def _segments_fit(self) -> Self:
        if self.segment_bytes * 2 > self.max_bytes:
            refuse((("segment_bytes",), "is more than half of max_bytes; make it smaller, or max_bytes larger"))
        return self


class RouteOptions(Settings):
    """A rule that chooses a retention class: for what fits all that it names."""

    to: Name
    """The retention class."""
    signal: Signal | None = None
    """Only this signal."""
    source: str | None = None
    """Only from sources whose name fits: `app`, `app-*`."""
    resource: dict[str, str] = Field(default={})
    """Only where these resource attributes fit, such as `k8s.namespace.name: pay-*`; all of them must."""
    level: tuple[Level, ...] = ()
    """Only records of these levels, where a log line tells its level."""


class RetentionOptions(Settings):
    """How long objects are kept. A class is a part of the object's key, so that a store can expire by prefix."""

    classes: Annotated[dict[Name, Annotated[Duration, Field(ge=timedelta(days=1))]], Field(min_length=1)] = Field(
        default={"short": timedelta(days=7), "standard": timedelta(days=30), "audit": timedelta(days=400)}
    )
    """Retention classes: a name, and how long objects of this class are kept. Given, they replace the default ones."""
    default: Name = "standard"
    """The class of what no rule of `route` fits."""
    route: tuple[RouteOptions, ...] = ()
    """Rules that choose the class; the first that fits decides."""

    @model_validator(mode="after")
    def _classes_are_known(self) -> Self:
        known = f"is not among the classes; write one of {', '.join(self.classes)}"
        used: list[tuple[tuple[str | int, ...], str]] = [(("default",), self.default)]
        used += [(("route", index, "to"), rule.to) for index, rule in enumerate(self.route)]
        if unknown := [(path, known) for path, name in used if name not in self.classes]:
            refuse(*unknown)
        return self


class QuarantineOptions(Settings):
    """Records that the scrubber could not handle: kept encrypted on this node, see `sluicegate quarantine`."""

    retention: Annotated[Duration, Field(ge=_SECOND)] = timedelta(days=7)
    """How long they are kept."""
    max_bytes: Annotated[ByteSize, Field(ge=1 << 20)] = 64 << 20
    """What they may take on disk; then sources wait: nothing is dropped silently."""
    key_file: Path | None = None
    """Made on first start (mode 0600). Default: `quarantine.key` beside the spool's directory."""


class LogOptions(Settings):
    """The gate's own logs, on stderr; they never hold records."""

    format: Literal["auto", "json", "human"] = "auto"
    """`auto`: human on a terminal, else JSON."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe level that is written."""


class TelemetryOptions(Settings):
    """What the gate tells about itself."""

    listen: Listen | None = None
    """Address of `/metrics`, `/healthz` and `/readyz`, such as `127.0.0.1:9464`, or `:9464` for every interface.
    Default: none is served."""
    log: LogOptions = LogOptions()
    """The gate's own logs."""
    otlp: OwnOtlpOptions | None = None
    """Given, if only as `{}`, the gate's own spans, log and metrics are sent by OTLP. Default: nothing is."""

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of `listen`."""
        return None if self.listen is None else host_and_port(self.listen)


def _node() -> str:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in socket.gethostname())
    return name.strip("._-")[:63] or "node"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _local_store() -> dict[str, ExporterOptions]:
    return {"local": LocalOptions(path=home() / "store")}


class Config(Settings):
    """One configuration file."""

    node: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] = Field(default_factory=_node)
    """The node's name, a part of every object's key: unique among the gates of one store. Default: the host's name."""
    workers: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=_cores)
    """Processes that read and scrub. Default: one per core that the gate may use."""
    memory_limit: Annotated[ByteSize, Field(ge=64 << 20)] = 200 << 20
    """Memory that one worker may use; what is under way is bounded by it."""
    sources: Annotated[dict[Name, SourceOptions], Field(min_length=1)]
    """The ways in, by name."""
    policy: Path | None = None
    """The scrubbing policy's file, relative to this one. Default: the default policy."""
    spool: SpoolOptions = Field(default_factory=SpoolOptions)
    """Where data is safe until it is shipped."""
    exporters: Annotated[dict[Name, ExporterOptions], Field(min_length=1)] = Field(default_factory=_local_store)
    """Destinations, by name; each gets everything. Default: a local store `store` in the gate's home."""
    retention: RetentionOptions = RetentionOptions()
    """How long objects are kept."""
    quarantine: QuarantineOptions = QuarantineOptions()
    """Records that the scrubber could not handle."""
    telemetry: TelemetryOptions = TelemetryOptions()
    """What the gate tells about itself."""

    @property
    def receivers(self) -> dict[str, list[tuple[str, int]]]:
        """Host and port of all that is received by OTLP, by source."""
        otlp = {name: source for name, source in self.sources.items() if isinstance(source, OtlpOptions)}
        return {name: list(source.addresses.values()) for name, source in otlp.items()}

    @property
    def quarantine_key_file(self) -> Path:
        return self.quarantine.key_file or self.spool.directory.absolute().with_name("quarantine.key")

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if problems := list(_misfits(self)):
            refuse(*problems)
        return self


def load(path: str | Path, *, env: Mapping[str, str] | None = None) -> Config:
    """Read a configuration file; raises settings.SettingsError with everything that is wrong in it, and in the policy
    that it names."""
    root = read(path, env=env)
    try:
        config = validate(root, Config, str(path))
    except SettingsError as error:
        raise SettingsError([*error.problems, *_wrong_in_policy(root, Path(path).parent)]) from None
    if config.policy is None:
        return config
    from scrubbers.policy_file import path_of  # takes long

    return config.model_copy(update={"policy": path_of(str(config.policy), Path(path).parent)})


def _wrong_in_policy(root: Node, folder: Path) -> tuple[Problem, ...]:
    from scrubbers.policy_file import path_of, read_policy  # takes long, and is wanted only here

    named = dict(root.children()).get("policy")
    if named is None or named.unknown or not isinstance(named.value, str):
        return ()
    try:
        read_policy(path_of(named.value, folder))
    except SettingsError as error:
        return error.problems
    return ()


def embedded(paths: Sequence[str], *, store: Path | None = None, policy: Path | None = None) -> Config:
    """The configuration without a file: tail `paths` (`-`: stdin) into a sealed local store."""
    sources: dict[str, Plain] = {}
    if files := [path for path in paths if path != "-"]:
        sources["files"] = {"type": "file", "include": [*files]}
    if "-" in paths:
        sources["stdin"] = {"type": "stdin"}
    given: dict[str, Plain] = {"sources": sources, "policy": None if policy is None else str(policy)}
    if store is not None:
        given["exporters"] = {"local": {"type": "local", "path": str(store)}}
    return validate(Node.of(given), Config, "command line")


def show(path: str | Path | None = None, *, env: Mapping[str, str] | None = None) -> str:
    """The configuration in force as YAML: of a file, or the embedded default that reads stdin."""
    if path is None:
        return to_yaml(embedded(["-"]))
    root = read(path, env=env)
    return to_yaml(validate(root, Config, str(path)), root)


Misfit: TypeAlias = tuple[tuple[str | int, ...], str]


def _misfits(config: Config) -> Iterator[Misfit]:
    """What each part allows, but not together."""
    stdins = [name for name, source in config.sources.items() if isinstance(source, StdinOptions)]
    for name in stdins[1:]:
        yield ("sources", name), f"reads stdin, and so does {stdins[0]}; keep one of them"
    for index, rule in enumerate(config.retention.route):
        if rule.source is not None and not any(fnmatchcase(name, rule.source) for name in config.sources):
            yield (
                ("retention", "route", index, "source"),
                f"fits no source; the sources are {', '.join(config.sources)}",
            )
    yield from _signals_nobody_takes(config)
    yield from _shared_addresses(config)
    yield from _loops(config)
    yield from _shared_places(config)
    yield from _keys_of_this_node(config)
    yield from _own_files_read(config)


def _signals_nobody_takes(config: Config) -> Iterator[Misfit]:
    """To throw something away has to be said."""
    taken = {signal for exporter in config.exporters.values() for signal in exporter.signals}
    for name, source in config.sources.items():
        brought: Sequence[Signal] = SIGNALS if isinstance(source, OtlpOptions) else ("logs",)
        for signal in brought:
            if signal not in taken:
                yield (
                    ("sources", name),
                    f"brings {signal}, and no exporter takes them; add `{signal}` to the signals of one, "
                    "which may be of type null",
                )


def _loops(config: Config) -> Iterator[Misfit]:
    """A gate that is sent what it sends never ends."""
    own = config.receivers
    for name, exporter in config.exporters.items():
        if isinstance(exporter, OtlpDestination) and (source := _own_receiver(own, exporter.address)):
            yield ("exporters", name, "endpoint"), f"is source {source} of this gate; write where to send to"
    otlp = config.telemetry.otlp
    for address in otlp.addresses(os.environ) if otlp else ():
        if source := _own_receiver(own, address):
            yield (
                ("telemetry", "otlp", "endpoint"),
                f"is source {source} of this gate, given here or by the environment; write another",
            )
            break


def _own_receiver(receivers: Mapping[str, Sequence[tuple[str, int]]], address: tuple[str, int]) -> str | None:
    """The source, if it is one, that listens where this address leads."""
    host, port = address
    for name, listening in receivers.items():
        if any(port == own and is_here(host, listen) for listen, own in listening):
            return name
    return None


def _shared_addresses(config: Config) -> Iterator[Misfit]:
    """Of two that listen at one address, one could not start; or, which is worse, each would get a part."""
    taken: dict[tuple[str, int], str] = {}
    if config.telemetry.address and config.telemetry.address[1]:
        taken[config.telemetry.address] = "telemetry"
    for name, source in config.sources.items():
        for protocol, address in source.addresses.items() if isinstance(source, OtlpOptions) else ():
            if address in taken:
                yield ("sources", name, protocol, "listen"), f"is the address of {taken[address]}; write another port"
            taken.setdefault(address, f"source {name}")


def _shared_places(config: Config) -> Iterator[Misfit]:
    """Two exporters in one place would overwrite each other's objects, and confirm what is not there."""
    taken: dict[tuple[str, ...], str] = {("local", _real(config.spool.directory)): "the spool"}
    for name, options in config.exporters.items():
        match options:
            case LocalOptions():
                place: tuple[str, ...] = ("local", _real(options.path))
            case S3Options():
                place = ("s3", options.endpoint_url or "", options.bucket, options.prefix)
            case _:
                continue
        if place in taken:
            yield ("exporters", name), f"writes to the same place as {taken[place]}; give it another path or prefix"
        taken.setdefault(place, name)


def _keys_of_this_node(config: Config) -> Iterator[Misfit]:
    """A key that was made here is lost with the node, and with it everything sealed with it elsewhere."""
    made_here = {_real(config.quarantine_key_file)} | {
        _real(options.key_file or default_key_file(options.path.absolute()))
        for options in config.exporters.values()
        if isinstance(options, LocalOptions) and options.seal
    }
    for name, options in config.exporters.items():
        if isinstance(options, S3Options) and options.key_file and _real(options.key_file) in made_here:
            yield (
                ("exporters", name, "key_file"),
                "is a key that this node makes, so its loss would be that of all objects in the bucket; "
                "make one elsewhere, keep a copy, and name its file",
            )


# What stands in the spool and in local stores; patterns that cannot match any of these do no harm.
_OWN_FILES = ("ledger.sqlite", "0.0.logs.lines.standard.segment", "0.ndjson.zst", "0.ndjson.zst.enc", "0.otlp.zst.enc")


def _own_files_read(config: Config) -> Iterator[Misfit]:
    """A gate that reads what it writes never ends."""
    own = {"the spool": config.spool.directory} | {
        f"the store of exporter {name}": options.path
        for name, options in config.exporters.items()
        if isinstance(options, LocalOptions)
    }
    for name, source in config.sources.items():
        if not isinstance(source, FileOptions):
            continue
        for index, pattern in enumerate(source.include):
            for what, directory in own.items():
                parts = Path(_real(directory)).parts
                if _reaches(_pattern(pattern), parts) and not any(_covers(_pattern(e), parts) for e in source.exclude):
                    yield (
                        ("sources", name, "include", index),
                        f"matches files in {what}; write a narrower pattern, or exclude `{directory}/**`",
                    )


def _real(path: Path) -> str:
    return os.path.realpath(path)


def _pattern(pattern: str) -> tuple[str, ...]:
    """The parts of a glob pattern, with links resolved up to its first wildcard."""
    parts = Path(pattern).absolute().parts
    fixed = next((i for i, part in enumerate(parts) if has_magic(part)), len(parts))
    return (*Path(_real(Path(*parts[:fixed]))).parts, *parts[fixed:])


def _reaches(pattern: Sequence[str], directory: Sequence[str]) -> bool:
    """Whether a glob pattern can match one of our files at any depth below a directory."""
    if not pattern:
        return False
    if not directory:
        return pattern[-1] == "**" or any(fnmatchcase(name, pattern[-1]) for name in _OWN_FILES)
    if pattern[0] == "**":
        return len(pattern) == 1 or _reaches(pattern[1:], directory) or _reaches(pattern, directory[1:])
    return fnmatchcase(directory[0], pattern[0]) and _reaches(pattern[1:], directory[1:])


def _covers(pattern: Sequence[str], directory: Sequence[str]) -> bool:
    """Whether a pattern that ends in `**` matches all that is below a directory."""
    return pattern[-1] == "**" and len(pattern) - 1 <= len(directory) and all(map(fnmatchcase, directory, pattern[:-1]))
