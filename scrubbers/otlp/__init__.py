"""OTLP export requests, as they stand on the wire.

- `wire`: protobuf's fields and numbers;
- `schema`: what the fields of OTLP's messages hold;
- `values`: attributes and values as lines of JSON, and back;
- `sites`, `walk`: the places in a request where something was seen;
- `trigger`: sees it;
- `request`: a request without personal data;
- `measuring`: how many records of what time a request has.
"""

from scrubbers.otlp.measuring import Measure, measure
from scrubbers.otlp.wire import Malformed

__all__ = ["Malformed", "Measure", "measure"]
