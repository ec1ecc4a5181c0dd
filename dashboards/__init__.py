"""Generator of the Grafana dashboards."""
