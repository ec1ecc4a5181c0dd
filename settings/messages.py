"""What is wrong with a value, in words: "what is wrong; what to write instead", never quoting the value."""

from difflib import get_close_matches

from pydantic_core import ErrorDetails

from settings.document import Node
from settings.shape import Shape

_BOUNDS = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}


def message(details: ErrorDetails, node: Node | None, shape: Shape) -> str:
    """The words for one of pydantic's errors at `node`, where `shape` may stand."""
    ctx = details.get("ctx", {})
    match details["type"]:
        case "missing":
            return f"is missing; add it, with {shape.expected()}"
        case "extra_forbidden":
            return f"is not a known key; {_nearest(str(details['loc'][-1]), shape.siblings)}"
        case "literal_error" | "enum" if len(shape.members) == 1:
            return f"is not one of the choices; {_nearest(_text(node), shape.choices() or (ctx['expected'],))}"
        case "union_tag_invalid" | "union_tag_not_found" as wrong:
            key = ctx["discriminator"].strip("'")
            tag = _text(node.value.get(key)) if node and isinstance(node.value, dict) else ""
            what = f"has an unknown {key}" if wrong == "union_tag_invalid" else f"has no {key}"
            return f"{what}; {_nearest(tag, shape.tags(key))}"
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal" as bound:
            return f"is out of range; write a value {_BOUNDS[bound]} {next(iter(ctx.values()))}"
        case "too_short":
            return f"has too few entries; write at least {ctx['min_length']}"
        case "too_long":
            return f"has too many entries; write at most {ctx['max_length']}"
        case "string_too_short":
            return f"is too short; write at least {ctx['min_length']} characters"
        case "string_too_long":
            return f"is too long; write at most {ctx['max_length']} characters"
        case "string_pattern_mismatch":
            return f"does not have the right form; write it to match {ctx['pattern']}"
        case "finite_number":
            return "is not a finite number; write one that is"
        case "value_error" | "assertion_error":
            return str(ctx["error"])
        case wrong if wrong.endswith(("_type", "_parsing", "_from_float", "_parsing_size", "literal_error")):
            return f"holds {_kind(node)}; write {shape.expected()}"
        case _:
            return details["msg"]


def _nearest(text: str, known: tuple[str, ...]) -> str:
    """`did you mean …?` where something is near, and else all there is."""
    folded = {name.casefold().replace("-", "_"): name for name in known}
    near = [folded[name] for name in get_close_matches(text.casefold().replace("-", "_"), folded, n=3, cutoff=0.6)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"write one of {', '.join(known)}" if known else "nothing is known here; remove it"


def _text(node: Node | None) -> str:
    """A scalar to compare with the known ones; what came from the environment or a file takes no part."""
    return node.value if node and isinstance(node.value, str) and node.written is None else ""


def _kind(node: Node | None) -> str:
    value = node.value if node else None
    if isinstance(value, bool):
        return "true or false"
    return {
        type(None): "nothing",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a mapping",
    }[type(value)]
