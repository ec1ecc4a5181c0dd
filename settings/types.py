"""The base of all settings models, and the types that people write with a unit."""

import re
from datetime import timedelta
from typing import Annotated, Any, NoReturn, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, SecretStr, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError


class Settings(BaseModel):
    """Frozen, and every key is known. Each field carries a `description`: the reference is generated from it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True, allow_inf_nan=False
    )


_SUBSTITUTION = r"\$\{.+\}"  # what the schema lets stand wherever a unit is wanted

Secret: TypeAlias = SecretStr  # `get_secret_value()` gives the text; printing it gives stars


def refuse(*problems: tuple[tuple[str | int, ...], str]) -> NoReturn:
    """Raise, inside a validator, problems at key paths below what is being validated; `()` is the thing itself.

    Each is (path, "what is wrong; what to write instead"); the message names keys, never values.
    """
    if not all(isinstance(problem, tuple) for problem in problems):
        raise TypeError('refuse() takes pairs: refuse(((), "is odd; write it even"))')
    raise ValidationError.from_exception_data(
        "settings",
        [
            InitErrorDetails(
                type=PydanticCustomError("refused", "{message}", {"message": message, "below": len(path)}),
                loc=path,
                input=None,
            )
            for path, message in problems
        ],
    )


_BYTES: dict[str, int] = {"": 1} | {
    f"{prefix}{middle}": base**power
    for power, prefix in enumerate("KMGT", 1)
    for middle, base in (("", 1000), ("i", 1024))
}
_BYTES_PATTERN = r"^[0-9]{1,15} ?([KkMGT]i?)?B?$"


def _byte_size(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = re.fullmatch(r"([0-9]{1,15}) ?([KkMGT]i?)?(B?)", value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError(
            "byte_size", "is not a size; write a whole number with a unit, such as 50MB or 256KiB"
        )
    return int(match[1]) * _BYTES[(match[2] or "").replace("k", "K")]


def show_bytes(count: int) -> str:
    """The shortest spelling that means exactly `count`."""
    fits = (f"{count // size}{unit}B" for unit, size in _BYTES.items() if count >= size and count % size == 0)
    return min(fits, key=len, default="0B")


ByteSize: TypeAlias = Annotated[
    int,
    BeforeValidator(_byte_size, json_schema_input_type=int | str),
    PlainSerializer(show_bytes, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": rf"{_BYTES_PATTERN}|{_SUBSTITUTION}"},
                {"type": "integer", "minimum": 0},
            ],
            "examples": ["50MB", "256KiB"],
        }
    ),
]
"""A number of bytes: `50MB` (powers of 1000), `256KiB` (powers of 1024), or a bare number."""

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION_PATTERN = r"^([0-9]{1,12}(\.[0-9]{1,3})?(ms|s|m|h|d|w))+$"


def parse_duration(value: Any) -> timedelta:
    """What a person writes for a length of time; raises ValueError."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or len(value) > 100 or not re.fullmatch(_DURATION_PATTERN, value):
        raise PydanticCustomError(
            "duration", "is not a duration; write a number with a unit, such as 60s, 5m, 12h or 7d"
        )
    parts = re.findall(r"([0-9.]+)(ms|[smhdw])", value)
    try:
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
    except OverflowError:
        raise PydanticCustomError("duration", "is longer than time itself; write a shorter duration") from None


def show_duration(duration: timedelta) -> str:
    """In the largest unit that divides it: `400d`, `1m`, `1500ms`."""
    milliseconds = round(duration.total_seconds() * 1000)
    for unit in ("d", "h", "m", "s", "ms"):
        size = round(_SECONDS[unit] * 1000)
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return "0s"


Duration: TypeAlias = Annotated[
    timedelta,
    BeforeValidator(parse_duration, json_schema_input_type=str),
    PlainSerializer(show_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": rf"{_DURATION_PATTERN}|{_SUBSTITUTION}", "examples": ["60s", "5m", "12h", "7d"]}
    ),
]
"""A length of time with its unit: `500ms`, `60s`, `5m`, `12h`, `7d`, `2w`, or `1h30m`."""
