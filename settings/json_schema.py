"""JSON Schema (draft 2020-12) of a model, for editors to complete and check a file while it is written."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from settings.types import show_duration


class _Generator(GenerateJsonSchema):
    """Numbers, truth values and choices may also be written as `${…}`."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return _or_substitution(super().int_schema(schema))

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return _or_substitution(super().float_schema(schema))

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return _or_substitution(super().bool_schema(schema))

    def encode_default(self, dft: Any) -> Any:
        return show_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return _or_substitution(super().enum_schema(schema))

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        found = super().literal_schema(schema)
        return found if len(schema["expected"]) == 1 else _or_substitution(found)


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of what may be written in the file."""
    return {"$schema": _Generator.schema_dialect} | model.model_json_schema(schema_generator=_Generator)


def _or_substitution(found: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [found, {"type": "string", "pattern": r"\$\{.+\}"}]}
