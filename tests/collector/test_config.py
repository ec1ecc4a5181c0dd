"""One file says all; what does not fit together is refused before anything starts."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from collector import config
from collector.config import Config
from collector.sources.file import FileOptions
from exporters.local import LocalOptions
from exporters.s3_options import S3Options
from scrubbers import load_policy
from settings import SettingsError, loads, schema, to_yaml

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def gate_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICEGATE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loads(text, Config, name="gate.yaml", env={})
    return str(caught.value).splitlines()


SOURCES = "sources: {app: {type: file, include: [/srv/app.log]}}\n"


def test_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text("""
node: web-1
workers: 3
memory_limit: 300MiB
sources:
  app:
    type: file
    include: [/srv/**/*.log]
    exclude: [/srv/old/**]
  pipe:
    type: stdin
policy: policies/app.yaml
spool: {directory: /srv/spool, max_bytes: 1GiB, segment_bytes: 10MB, segment_age: 30s}
exporters:
  here: {type: local, path: /srv/store}
  there: {type: s3, bucket: logs, prefix: app/, secret_access_key: "${KEY}", access_key_id: id}
  nowhere: {type: "null"}
retention:
  classes: {brief: 2d, long: 1000d}
  default: brief
  route:
    - {source: p*, signal: logs, resource: {host.name: web-*}, level: [error, fatal], to: long}
quarantine: {retention: 3d, max_bytes: 8MiB, key_file: /etc/q.key}
telemetry:
  listen: "[::1]:9464"
  log: {format: json, level: debug}
""")
    loaded = config.load(path, env={"KEY": "hunter2"})
    app = loaded.sources["app"]
    assert isinstance(app, FileOptions)
    assert app.exclude == ("/srv/old/**",)
    there = loaded.exporters["there"]
    assert isinstance(there, S3Options)
    assert there.secret_access_key is not None
    assert there.secret_access_key.get_secret_value() == "hunter2"
    assert loaded.policy == tmp_path / "policies/app.yaml"
    assert loaded.spool.segment_age == timedelta(seconds=30)
    (rule,) = loaded.retention.route
    assert (rule.to, rule.source, rule.resource, rule.level) == (
        "long",
        "p*",
        {"host.name": "web-*"},
        ("error", "fatal"),
    )
    assert loaded.telemetry.address == ("::1", 9464)
    assert loaded.quarantine_key_file == Path("/etc/q.key")
    shown = config.show(path, env={"KEY": "hunter2"})
    assert "hunter2" not in shown
    assert "secret_access_key: ${KEY}" in shown


def test_all_but_sources_has_a_default(gate_home: Path) -> None:
    loaded = loads(SOURCES, Config)
    assert loaded.spool.directory == gate_home / "spool"
    assert loaded.exporters == {"local": LocalOptions(path=gate_home / "store")}
    assert loaded.quarantine_key_file == gate_home / "quarantine.key"
    assert loaded.telemetry.address is None
    assert loaded.retention.classes[loaded.retention.default] == timedelta(days=30)
    assert loaded.workers == len(os.sched_getaffinity(0))


def test_what_is_shown_is_read_back() -> None:
    loaded = loads(SOURCES, Config)
    assert loads(to_yaml(loaded), Config) == loaded


def test_the_embedded_default_reads_what_it_is_given(gate_home: Path, tmp_path: Path) -> None:
    loaded = config.embedded(["/srv/*.log", "-", "/b"], store=tmp_path / "s", policy=tmp_path / "p.yaml")
    files = loaded.sources["files"]
    assert isinstance(files, FileOptions)
    assert files.include == ("/srv/*.log", "/b")
    assert loaded.sources["stdin"].type == "stdin"
    assert loaded.exporters == {"local": LocalOptions(path=tmp_path / "s")}
    assert loaded.policy == tmp_path / "p.yaml"
    assert not gate_home.exists()


@pytest.mark.parametrize(
    ("uid", "env", "wanted"),
    [
        (0, {}, Path("/var/lib/sluicegate")),
        (1000, {"HOME": "/home/kim"}, Path("/home/kim/.local/state/sluicegate")),
        (1000, {"SLUICEGATE_HOME": "/data"}, Path("/data")),
        (0, {"SLUICEGATE_HOME": "data"}, Path.cwd() / "data"),
    ],
)
def test_home(uid: int, env: dict[str, str], wanted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICEGATE_HOME")
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert config.home() == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "gate.yaml:1: sources: is missing; add it, with a mapping (`key: value` lines below it)"),
        ("sources: {}", "gate.yaml:1: sources: has too few entries; write at least 1"),
        ("sources: {App!: {type: stdin}}", "gate.yaml:1: sources.App!: does not have the right form"),
        ("sources: {a: {type: fille}}", "gate.yaml:1: sources.a: has an unknown type; did you mean file?"),
        (SOURCES + "exporters: {}", "gate.yaml:2: exporters: has too few entries; write at least 1"),
        (SOURCES + "workers: 0", "gate.yaml:2: workers: is out of range; write a value of at least 1"),
        (SOURCES + "node: a/b", "gate.yaml:2: node: does not have the right form"),
        (SOURCES + "node: ..", "gate.yaml:2: node: does not have the right form"),
        (SOURCES + "spol: {}", "gate.yaml:2: spol: is not a known key; did you mean spool or policy?"),
        (SOURCES + "telemetry: {listen: 9464}", "gate.yaml:2: telemetry.listen: holds a whole number; write text"),
        (SOURCES + "telemetry: {listen: 'x:99999'}", "gate.yaml:2: telemetry.listen: has no such port"),
        (
            SOURCES + "spool: {max_bytes: 16MiB}",
            "gate.yaml:2: spool.segment_bytes: is more than half of max_bytes; make it smaller, or max_bytes larger",
        ),
        (
            SOURCES + "retention: {default: long}",
            "gate.yaml:2: retention.default: is not among the classes; write one of short, standard, audit",
        ),
        (SOURCES + "retention: {classes: {a: 1h}}", "gate.yaml:2: retention.classes.a: is out of range"),
        (
            SOURCES + "retention: {route: [{source: ap, to: audit}]}",
            "gate.yaml:2: retention.route[0].source: fits no source; the sources are app",
        ),
        (
            SOURCES + "retention: {route: [{level: [loud], to: audit}]}",
            "gate.yaml:2: retention.route[0].level[0]: ",
        ),
        (
            SOURCES + "retention: {route: [{to: long}]}",
            "gate.yaml:2: retention.route[0].to: is not among the classes; write one of short, standard, audit",
        ),
        (
            SOURCES
            + "exporters: {tempo: {type: 'null', signals: [traces]}, s3: {type: s3, bucket: b, signals: [metrics]}}\n",
            "gate.yaml:1: sources.app: brings logs, and no exporter takes them; add `logs` to the signals of one, "
            "which may be of type null",
        ),
        (
            "sources:\n  a: {type: stdin}\n  b: {type: stdin}",
            "gate.yaml:3: sources.b: reads stdin, and so does a; keep one of them",
        ),
    ],
)
def test_what_is_refused(text: str, wanted: str) -> None:
    assert wanted in "\n".join(problems(text))


class TestPlaces:
    def test_two_exporters_may_not_write_to_the_same_place(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "store")
        text = f"""{SOURCES}
exporters:
  a: {{type: local, path: {tmp_path}/store}}
  b: {{type: local, path: {tmp_path}/x/../link}}
  c: {{type: s3, bucket: b, prefix: p/}}
  d: {{type: s3, bucket: b, prefix: p/, region: eu-west-1}}
  e: {{type: s3, bucket: b, prefix: q/}}
  f: {{type: "null"}}
  g: {{type: "null"}}
"""
        (tmp_path / "x").mkdir()
        assert problems(text) == [
            "gate.yaml:5: exporters.b: writes to the same place as a; give it another path or prefix",
            "gate.yaml:7: exporters.d: writes to the same place as c; give it another path or prefix",
        ]

    def test_nor_into_the_spool(self, tmp_path: Path) -> None:
        text = f"{SOURCES}spool: {{directory: {tmp_path}}}\nexporters: {{a: {{type: local, path: {tmp_path}/}}}}"
        assert "writes to the same place as the spool" in problems(text)[0]

    @pytest.mark.parametrize("key_file", ["{home}/store.key", "{home}/quarantine.key"])
    def test_a_key_made_on_this_node_does_not_seal_what_leaves_it(self, key_file: str, gate_home: Path) -> None:
        text = f"""{SOURCES}
exporters:
  here: {{type: local, path: {gate_home}/store}}
  there: {{type: s3, bucket: b, key_file: {key_file.format(home=gate_home)}}}
"""
        (problem,) = problems(text)
        assert problem.startswith("gate.yaml:5: exporters.there.key_file: is a key that this node makes")

    def test_a_key_from_elsewhere_does(self, tmp_path: Path) -> None:
        text = SOURCES + f"exporters: {{there: {{type: s3, bucket: b, key_file: {tmp_path}/other.key}}}}"
        assert loads(text, Config).exporters["there"].type == "s3"


class TestReadingOwnFiles:
    @pytest.mark.parametrize(
        "pattern",
        [
            "{home}/spool/*",
            "{home}/**",
            "{home}/**/*",
            "{home}/*/*",
            "{home}/sp[no]ol/segments/*",
            "{home}/../home/**/*.segment",
            "{home}/store/**/*.zst.enc",
            "{link}/**/ledger.*",
            "/**",
            "/**/*.zst",
        ],
    )
    def test_a_pattern_that_matches_the_spool_or_a_store_is_refused(self, pattern: str, gate_home: Path) -> None:
        link = gate_home.with_name("link")
        link.symlink_to(gate_home)
        pattern = pattern.format(home=gate_home, link=link)
        (first, *_) = problems(f"sources: {{app: {{type: file, include: [/srv/x, '{pattern}']}}}}")
        assert first.startswith("gate.yaml:1: sources.app.include[1]: matches files in the ")

    @pytest.mark.parametrize(
        "pattern", ["{home}/*.log", "{home}/**/*.log", "{home}/spool", "{home}-2/**", "/var/log/**/*", "{home}/x/**"]
    )
    def test_a_pattern_that_cannot_match_them_is_not(self, pattern: str, gate_home: Path) -> None:
        loads(f"sources: {{app: {{type: file, include: ['{pattern.format(home=gate_home)}']}}}}", Config)

    def test_nor_one_whose_exclude_covers_them(self, gate_home: Path) -> None:
        include = f"include: ['{gate_home.parent}/**']"
        loads(f"sources: {{app: {{type: file, {include}, exclude: ['{gate_home}/**']}}}}", Config)
        told = problems(f"sources: {{app: {{type: file, {include}, exclude: ['{gate_home}/spool/**']}}}}")
        assert ["the store of exporter local" in problem for problem in told] == [True]


def test_the_schema_describes_every_key() -> None:
    """Editors show what each key means."""
    found = schema(Config)
    bare = [
        f"{name}.{key}"
        for name, definition in {"Config": found, **found["$defs"]}.items()
        for key, field in definition.get("properties", {}).items()
        if not field.keys() & {"description", "$ref", "const"}
    ]
    assert bare == []


def test_a_policy_may_be_a_preset_by_name(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text("policy: gdpr\nsources: {app: {type: stdin}}\n")
    named = config.load(tmp_path / "gate.yaml").policy
    assert named is not None
    assert load_policy(named) == load_policy("gdpr")
