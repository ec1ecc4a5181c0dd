"""Typed YAML files: one loader for configuration, policies and all else a person writes."""
