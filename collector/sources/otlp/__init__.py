"""The `otlp` source: logs, traces and metrics over gRPC and HTTP, as SDKs and Collectors send them.

- `options`: what is configured;
- `over_grpc`, `over_http`: the two ways in, each with its own words for what is refused;
- `receiving`: one request, whichever way it came: measured, cut by hour, made durable;
- `refusals`, `limits`, `authentication`, `inflating`, `json_requests`: what a request has to pass;
- `responses`: OTLP's messages for an answer.

A request is answered with success only once it is durable in the spool. Whatever form it came in, behind the door it is
one serialised protobuf message: JSON is converted when it is received.
"""
