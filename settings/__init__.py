"""Typed YAML files: one loader for configuration, policies and all else a person writes.

    class Limits(Settings):
        memory: ByteSize = 200_000_000

    limits = load("limits.yaml", Limits)

A file that cannot be used raises SettingsError, which tells everything that is wrong in it, each with file, line, key
path and what to write instead.
"""

from settings.document import Node, Plain
from settings.errors import Problem, SettingsError
from settings.json_schema import schema
from settings.loader import load, loads, read, validate, validate_data
from settings.types import ByteSize, Duration, Secret, Settings, parse_duration, refuse, show_bytes, show_duration
from settings.writing import as_yaml, to_yaml

__all__ = [
    "ByteSize",
    "Duration",
    "Node",
    "Plain",
    "Problem",
    "Secret",
    "Settings",
    "SettingsError",
    "as_yaml",
    "load",
    "loads",
    "parse_duration",
    "read",
    "refuse",
    "schema",
    "show_bytes",
    "show_duration",
    "to_yaml",
    "validate",
    "validate_data",
]
