"""A glimpse of a value for the eye of its owner: never more than a third of it, and never more than four characters."""

MOST = 4
_STARS = 12


def masked(value: str) -> str:
    """`jane.smith@example.com` → `ja************om`. Nothing of a value of one or two characters; how long a long one
    is, is not told."""
    shown = min(MOST, len(value) // 3)
    head, tail = value[: (shown + 1) // 2], value[len(value) - shown // 2 :]
    stars = "*" * min(len(value) - shown, _STARS)
    return "".join(each if each.isprintable() else "*" for each in head + stars + tail)
