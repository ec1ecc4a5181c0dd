"""What is in force can be shown, and what came by `${…}` is shown as it was written."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from settings import ByteSize, Duration, Secret, Settings, loads, to_yaml
from settings.loader import tree, validate


class Store(Settings):
    bucket: str
    token: Secret | None = None


class Config(Settings):
    stores: dict[str, Store] = Field(default_factory=dict)
    paths: tuple[str, ...] = ()
    count: int = 1
    size: ByteSize = 262144
    age: Duration = timedelta(seconds=60)

    @field_validator("paths", mode="before")
    @classmethod
    def _one_path(cls, value: Any) -> Any:
        return [f"/prefix/{value}"] if isinstance(value, str) else value


def shown(text: str, env: dict[str, str]) -> str:
    root = tree(text, "c", env)
    return to_yaml(validate(root, Config, "c"), root)


def test_defaults_are_written_out_and_read_back() -> None:
    text = to_yaml(Config())
    assert "size: 256KiB" in text
    assert "age: 1m" in text
    assert loads(text, Config) == Config()


def test_a_long_text_is_read_back_as_it_was() -> None:
    for size in range(60, 130):
        config = Config(paths=('{"a":"' + "x" * size + " {'n': 2}" + r'\norder\nGET /v1/items"}',))
        assert loads(to_yaml(config), Config) == config


def test_substituted_values_are_shown_as_written(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    text = f"""
stores:
  a: {{bucket: "b-${{B}}", token: "${{file:{secret}}}"}}
paths: ["${{B}}", plain]
count: ${{N}}
"""
    out = shown(text, {"B": "bucketname", "N": "7"})
    assert "bucket: b-${B}" in out
    assert f"token: ${{file:{secret}}}" in out
    assert "- ${B}\n  - plain" in out
    assert "count: ${N}" in out
    assert not any(value in out for value in ("hunter2", "bucketname"))


def test_a_secret_written_in_the_file_is_starred() -> None:
    assert "hunter2" not in shown("stores: {a: {bucket: b, token: hunter2}}", {})


def test_a_value_that_a_validator_moved_is_not_shown() -> None:
    assert "hunter2" not in shown("paths: ${P}", {"P": "hunter2"})
