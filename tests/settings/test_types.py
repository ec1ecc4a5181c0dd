"""Sizes and durations mean what they say, and are spelt back as they mean."""

import json
from datetime import timedelta
from enum import StrEnum
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from settings import ByteSize, Duration, Secret, Settings, SettingsError, loads, schema, show_bytes, show_duration


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Units(Settings):
    size: ByteSize = 0
    age: Duration = timedelta(seconds=60)
    token: Secret | None = None
    count: int = 1
    level: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED


@pytest.mark.parametrize(
    ("written", "size"),
    [("50MB", 50_000_000), ("256KiB", 262144), ("7", 7), ("1 GiB", 1 << 30), ("3k", 3000), ("0B", 0), (12, 12)],
)
def test_sizes(written: str | int, size: int) -> None:
    assert Units.model_validate({"size": written}).size == size


@pytest.mark.parametrize(
    "written", ["", "MB", "-1", "1.5MB", "1mb", "5 Mb", "1e9", "9" * 16, -1, True, 1.0, None, [], "1\n"]
)
def test_what_is_no_size(written: object) -> None:
    with pytest.raises(ValidationError):
        Units.model_validate({"size": written})


@pytest.mark.parametrize(
    ("written", "seconds"), [("60s", 60), ("5m", 300), ("7d", 604800), ("1h30m", 5400), ("250ms", 0.25), ("1.5h", 5400)]
)
def test_durations(written: str, seconds: float) -> None:
    assert Units.model_validate({"age": written}).age == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written", ["", "60", 60, "s", "-1s", "1y", "1 m", "999999999w", "1s" * 60, None, True, "1s\n", "١s"]
)
def test_what_is_no_duration(written: object) -> None:
    with pytest.raises(ValidationError):
        Units.model_validate({"age": written})


@given(st.integers(0, 10**15))
def test_a_size_is_spelt_so_that_it_reads_back(count: int) -> None:
    assert Units.model_validate({"size": show_bytes(count)}).size == count


@given(st.integers(0, 10**11))
def test_a_duration_is_spelt_so_that_it_reads_back(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert Units.model_validate({"age": show_duration(duration)}).age == duration


def test_a_wrong_choice_of_an_enumeration_tells_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"<text>:1: colour: is not one of the choices; did you mean blue\?"):
        loads("colour: bleu", Units)
    with pytest.raises(SettingsError, match=r"write one of red, blue"):
        loads("colour: 7", Units)


def test_a_secret_prints_stars() -> None:
    units = loads("token: hunter2", Units)
    assert "hunter2" not in repr(units) + str(units) + units.model_dump_json()


def test_the_schema_is_draft_2020_12_and_lets_substitutions_stand() -> None:
    found = schema(Units)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["additionalProperties"] is False
    assert found["properties"]["age"]["default"] == "1m"
    for name in ("size", "age", "count", "level", "colour"):
        field = found["properties"][name]
        field = found["$defs"][field["$ref"].rpartition("/")[2]] if "$ref" in field else field
        assert r"\$\{" in json.dumps(field).replace("\\\\", "\\"), name
