"""The durable middle: one ledger a node, and append-only segment files."""
