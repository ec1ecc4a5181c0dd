"""OTLP: to an OpenTelemetry Collector, Tempo, Jaeger, Loki and whatever else takes it, over gRPC or HTTP.

`options` is what is configured; `exporter` sends; `over_grpc` and `over_http` are the two ways; `payloads` makes
requests of chunks, with `lines` (JSON lines become log records) and `cutting` (a request too large becomes several).
"""
