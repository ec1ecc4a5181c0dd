"""The manual, and what writes its reference from the code."""
