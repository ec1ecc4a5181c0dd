"""What the writer of a policy works with: cases that test it, why a line is (not) changed, what it costs, what it
leaves in real logs, and what another policy would do instead.

A library on bytes like the rest of `scrubbers`; `sluicegate policy …` shows what it finds. Nothing here is on the way
of a record.
"""
