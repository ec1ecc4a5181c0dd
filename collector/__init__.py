"""Takes telemetry in and moves it along: command line, config, sources, pipeline, spool, own telemetry."""
