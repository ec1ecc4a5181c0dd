"""Files become frozen models; what is wrong is told all at once, with line, path and mend."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from settings import ByteSize, Duration, Secret, Settings, SettingsError, load, loads, refuse


class Tail(Settings):
    type: Literal["file"]
    paths: list[str]
    file: str | None = None  # a key spelt like a tag of the union
    start: Literal["beginning", "end"] = "end"
    chunk: ByteSize = 64


class Pipe(Settings):
    type: Literal["stdin"]
    lines: int = Field(1, ge=1, le=9)


class Config(Settings):
    sources: dict[str, Annotated[Tail | Pipe, Field(discriminator="type")]] = Field(default_factory=dict)
    age: Duration = timedelta(seconds=60)
    name: str | None = None
    password: Secret | None = None
    level: Literal["info", "debug"] | int = "info"

    @model_validator(mode="after")
    def _one_name(self) -> "Config":
        if self.name == "sources":
            refuse((("sources", "file", "paths"), "is taken; name another"), (("name",), "is taken; name another"))
        return self


def problems(text: str, env: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loads(text, Config, name="c.yaml", env=env or {})
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return str(caught.value).splitlines()


def test_a_file_becomes_a_frozen_model(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("sources:\n  app: {type: file, paths: [/a], chunk: 2KiB}\nage: 1h30m\n")
    config = load(path, Config)
    assert config.sources["app"] == Tail(type="file", paths=["/a"], chunk=2048)
    assert config.age == timedelta(minutes=90)
    with pytest.raises(ValueError):
        config.age = timedelta()


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n...\n", "{}", "\ufeff{}"])
def test_an_empty_file_is_all_defaults(text: str) -> None:
    assert loads(text, Config) == Config()


def test_every_problem_is_told_at_once_in_the_order_of_lines() -> None:
    text = """\
sources:
  a:
    type: file
    path: [x]
    start: ends
    chunk: 5QB
  b: {type: stdin, lines: 0}
  c: {type: fil}
  d: {}
  e: 5
age: 7
level: loud
pasword: x
"""
    assert problems(text) == [
        "c.yaml:2: sources.a.paths: is missing; add it, with a list (lines below it that begin with `- `)",
        "c.yaml:4: sources.a.path: is not a known key; did you mean paths?",
        "c.yaml:5: sources.a.start: is not one of the choices; did you mean end?",
        "c.yaml:6: sources.a.chunk: is not a size; write a whole number with a unit, such as 50MB or 256KiB",
        "c.yaml:7: sources.b.lines: is out of range; write a value of at least 1",
        "c.yaml:8: sources.c: has an unknown type; did you mean file?",
        "c.yaml:9: sources.d: has no type; write one of file, stdin",
        "c.yaml:10: sources.e: holds a whole number; write a mapping (`key: value` lines below it)",
        "c.yaml:11: age: is not a duration; write a number with a unit, such as 60s, 5m, 12h or 7d",
        "c.yaml:12: level: holds text; write one of info, debug or a whole number",
        "c.yaml:13: pasword: is not a known key; did you mean password?",
    ]


def test_where_nothing_is_near_all_known_keys_are_told() -> None:
    assert problems("zzz: 1") == ["c.yaml:1: zzz: is not a known key; write one of sources, age, name, password, level"]


def test_too_few_and_too_short() -> None:
    class Sized(Settings):
        names: Annotated[tuple[str, ...], Field(min_length=2)]
        word: Annotated[str, Field(min_length=2)]

    with pytest.raises(SettingsError) as caught:
        loads("names: [a]\nword: b", Sized)
    assert [problem.message for problem in caught.value.problems] == [
        "has too few entries; write at least 2",
        "is too short; write at least 2 characters",
    ]


def test_enough_entries_are_enough_also_if_they_are_wrong() -> None:
    class Sized(Settings):
        names: Annotated[tuple[str, ...], Field(min_length=2)]
        more: Annotated[dict[str, int], Field(min_length=1)]

    with pytest.raises(SettingsError) as caught:
        loads("names: [a, 5]\nmore: {a: x}", Sized)
    assert [problem.path for problem in caught.value.problems] == ["names[1]", "more.a"]


def test_a_key_spelt_like_a_union_tag_does_not_mislead_the_place() -> None:
    text = "sources:\n  file:\n    type: file\n    file: 5\n    paths:\n      - a\n      - 7\n"
    wanted = "holds a whole number; write text (in quotes, if it looks like something else)"
    assert problems(text) == [
        f"c.yaml:4: sources.file.file: {wanted}",
        f"c.yaml:7: sources.file.paths[1]: {wanted}",
    ]


def test_a_validator_names_the_places_it_refuses() -> None:
    text = "name: sources\nsources:\n  file: {type: file,\n    paths: []}\n"
    assert problems(text) == [
        "c.yaml:1: name: is taken; name another",
        "c.yaml:4: sources.file.paths: is taken; name another",
    ]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, wanted in [(tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory")]:
        with pytest.raises(SettingsError, match=wanted):
            load(path, Config)


def test_a_file_that_is_not_utf_8_tells_the_line(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"name: a\nage: \xff\n")
    with pytest.raises(SettingsError, match=r"c.yaml:2: is not UTF-8"):
        load(path, Config)


class TestSubstitution:
    def test_variables_defaults_files_and_the_escape(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("s3cret\n")
        text = f"""
name: a-${{X}}-${{Y:-d}}-$${{X}}-${{E:-e}}
age: ${{AGE}}
level: "${{LEVEL:-3}}"
password: ${{file:{secret}}}
"""
        config = loads(text, Config, env={"X": "x", "AGE": "5m", "E": ""})
        assert (config.name, config.age, config.level) == ("a-x-d-${X}-e", timedelta(minutes=5), 3)
        assert config.password is not None
        assert config.password.get_secret_value() == "s3cret"

    def test_a_value_brings_no_syntax_of_its_own(self) -> None:
        assert loads("name: ${X}", Config, env={"X": "a: [b]\n${Y} *z"}).name == "a: [b]\n${Y} *z"

    @pytest.mark.parametrize(
        ("written", "wanted"),
        [
            ("${NO}", "the environment variable NO is not set; set it, or write ${NO:-default}"),
            ("${", "a ${ has no }; close it"),
            ("${a b}", "a ${…} is not understood"),
            ("${}", "a ${…} is not understood"),
            ("${file:}", "names no file"),
            ("${file:/nowhere/at/all}", "No such file"),
            ("${file:/}", "is not a regular file"),
            ("${file:/dev/zero}", "is not a regular file"),
            ("${file:/a\0}", ""),
        ],
    )
    def test_what_cannot_be_replaced_is_an_error_at_its_line(self, written: str, wanted: str) -> None:
        escaped = written.replace("\0", "\\0")
        (problem,) = problems(f'age: 5m\nname: "{escaped}"')
        assert problem.startswith("c.yaml:2: name: ")
        assert wanted in problem

    def test_what_cannot_be_replaced_hides_no_other_mistake(self) -> None:
        text = """\
name: ${A}/${B}/${A}
age: ${A}
level: ${A}
password: ${A}
pasword: x
sources:
  a: {type: "${A}", paths: 7, color: red}
  b: {type: file, paths: ["${A}", 7], start: ends}
  c: {type: stdin, lines: "${A}"}
  d: "${A}"
name: b
"""
        told = problems(text, {"SET": "x"})
        unset = "the environment variable {0} is not set; set it, or write ${{{0}:-default}}".format
        assert told == [
            f"c.yaml:1: name: {unset('A')}",
            f"c.yaml:1: name: {unset('B')}",
            f"c.yaml:2: age: {unset('A')}",
            f"c.yaml:3: level: {unset('A')}",
            f"c.yaml:4: password: {unset('A')}",
            "c.yaml:5: pasword: is not a known key; did you mean password?",
            f"c.yaml:7: sources.a.type: {unset('A')}",
            f"c.yaml:8: sources.b.paths[0]: {unset('A')}",
            "c.yaml:8: sources.b.paths[1]: holds a whole number; "
            "write text (in quotes, if it looks like something else)",
            "c.yaml:8: sources.b.start: is not one of the choices; did you mean end?",
            f"c.yaml:9: sources.c.lines: {unset('A')}",
            f"c.yaml:10: sources.d: {unset('A')}",
            "c.yaml:11: name: stands twice, first in line 1; keep one of them",
        ]

    def test_nothing_is_said_of_a_value_that_is_not_known(self) -> None:
        """Not even by what compares it with others, which would see two equal ones here."""

        class Pair(Settings):
            left: str
            right: str

            @model_validator(mode="after")
            def _differ(self) -> "Pair":
                if self.left == self.right:
                    refuse((("right",), "is the same as left; write another"))
                return self

        with pytest.raises(SettingsError) as caught:
            loads("left: ${A}\nright: ${A}", Pair, env={})
        assert all("is not set" in problem.message for problem in caught.value.problems)

    def test_a_relative_path_starts_at_the_settings_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "etc" / "keys").mkdir(parents=True)
        (tmp_path / "etc" / "keys" / "one").write_text("first\n")
        (tmp_path / "beside").write_text("second")
        config = tmp_path / "etc" / "c.yaml"
        config.write_text("name: ${file:keys/one} ${file:../beside}\npassword: ${file:./keys/one}")
        monkeypatch.chdir(tmp_path)
        for path in (config, Path("etc/c.yaml")):
            loaded = load(path, Config)
            assert loaded.name == "first second"
            assert loaded.password is not None
            assert loaded.password.get_secret_value() == "first"
        assert loads("name: ${file:beside}", Config).name == "second"  # a text stands nowhere
        config.write_text("name: ${file:none}")
        with pytest.raises(SettingsError, match=r"c.yaml:1: name: .*/etc/none cannot be read: No such file"):
            load(config, Config)

    def test_a_file_too_large_or_not_text(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        path.write_bytes(b"a" * 70_000)
        assert "larger than 65536 bytes" in problems(f"name: ${{file:{path}}}")[0]
        path.write_bytes(b"\xff")
        assert "not UTF-8" in problems(f"name: ${{file:{path}}}")[0]

    def test_a_substituted_value_is_never_told(self) -> None:
        text = "\n".join(
            [
                "sources: {a: {type: '${S}'}, b: '${S}', c: {type: stdin, lines: '${S}'}}",
                "age: ${S}",
                "level: ${S}",
                "password: [ '${S}' ]",
            ]
        )
        told = problems(text, {"S": "paths-hunter2"})
        assert len(told) == 6
        assert "hunter2" not in "\n".join(told)

    def test_nor_by_a_validator_that_quotes_it(self) -> None:
        class Careless(Settings):
            name: str

            @model_validator(mode="after")
            def _quote(self) -> "Careless":
                raise ValueError(f"{self.name} is bad")

        with pytest.raises(SettingsError) as caught:
            loads("name: ${S}", Careless, env={"S": "hunter2"})
        assert str(caught.value) == "<text>:1: *** is bad"
