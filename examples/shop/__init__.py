"""A small web shop that logs the way real apps do: useful, structured, and careless with personal data."""
