"""How keys and values are written, one module a notation."""
