"""OTLP export requests, as they stand on the wire.

- `wire`: protobuf's fields and numbers;
- `schema`: what the fields of OTLP's messages hold;
- `values`: attributes and values as lines of JSON, and back;
- `request`: a request without personal data.
"""

from scrubbers.otlp.measuring import Measure, measure
from scrubbers.otlp.wire import Malformed

__all__ = ["Malformed", "Measure", "measure"]
