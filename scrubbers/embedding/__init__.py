"""Scrubbing inside a Python application, before anything leaves its process.

- `values`: Python values (texts, numbers, mappings, sequences) by way of the engine;
- `log_filter`: a filter for `logging`;
- `otel`: wrappers around any OpenTelemetry span or log exporter (needs `sluicegate[opentelemetry]`).
"""

from scrubbers.embedding.log_filter import ScrubbingFilter
from scrubbers.embedding.values import UNSCRUBBABLE, Values

__all__ = ["UNSCRUBBABLE", "ScrubbingFilter", "Values"]
