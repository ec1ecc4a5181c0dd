"""SLO definitions and the generator of Prometheus rules."""
