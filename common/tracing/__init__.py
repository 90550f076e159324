"""Traces: whose parent a span is, whether it is recorded, and the way to a collector, which never holds up anything.

`context` and `sampling` decide, and import nothing. `export` sends finished spans; OpenTelemetry's SDK is imported only
by a process for which a collector is configured (OTEL_EXPORTER_OTLP_ENDPOINT).
"""
