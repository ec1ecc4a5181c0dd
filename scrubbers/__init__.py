"""Decides what is personal and removes it. A library that works on bytes."""
