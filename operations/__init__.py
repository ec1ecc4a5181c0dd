"""Runbook tools around the stores and the edge."""
