"""The gate's own telemetry by OTLP: spans of its work, its log and its metrics, through the OpenTelemetry SDK.

Off unless `telemetry.otlp` is given, and then nothing of the SDK is imported: it costs memory. Each process of the gate
exports its own. `spans` is what the code that is looked at uses; it works with the API alone, and does nothing without
an SDK.
"""
