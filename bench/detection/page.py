"""docs/detection.md, from what was measured."""

from collections import Counter, defaultdict
from collections.abc import Callable
from importlib.metadata import version

from bench.detection.measure import Result
from bench.detection.side_by_side import GROUPS, PEER, Peer
from docs.rendering.markdown import code, fence, table
from tests.corpus import services
from tests.corpus.cases import Cell
from tests.corpus.claims import OPEN, why_open
from tests.corpus.encodings import ENCODINGS
from tests.corpus.kinds import BY_EXAMPLE, BY_SHAPE
from tests.corpus.matrix import Score
from tests.corpus.notations import FRAMES, NOTATIONS

HEAD = """\
<!-- Written by `make detection` from measurements: do not edit. -->

# Detection

What is found, and what is found wrongly, measured on generated records of which everything is known: each has one
personal value planted, of some kind, in some notation, standing in some place and encoded in some way. A value counts
as gone when no six characters of it in a row can be read in what came out, by a reader who undoes every encoding; all
else must have stayed byte for byte. The generator is `tests/corpus/`; values are invented, in 33 locales.
"""

KEYS = """\
## By key

Values that are personal by the name of their key, whatever they look like: names, addresses, dates of birth, phone
numbers, mail addresses, numbers, passwords, pass phrases with quotes and brackets in them, tokens. Percent gone, of the
kind that fares worst; in parentheses what is not claimed, with an asterisk where some of it is not.
"""

SHAPES = """\
## By shape

Values that are personal by their shape, under names that say nothing. Percent gone, over all kinds.
"""


def render(result: Result) -> str:
    scores = result.matrix
    total = sum(each.planted for each in scores.values())
    quarantined = sum(each.quarantined for each in scores.values())
    claimed = [each for cell, each in scores.items() if why_open(cell) is None]
    gone, planted = sum(each.gone for each in claimed), sum(each.planted for each in claimed)
    invalid = sum(each.invalid for each in scores.values())
    exact = sum(each.exact + each.quarantined for each in scores.values())
    unchanged = result.clean - len(result.clean_changed)
    summary = table(
        ("what", "measured"),
        (
            ("records", f"{total:,} in {len(scores):,} cells, seed {result.seed}"),
            ("planted values gone, of what is claimed", f"{_percent(gone, planted)} % of {planted:,}"),
            ("claims that do not hold", str(len(result.broken))),
            ("records in which all else stayed", f"{_percent(exact, total)} %"),
            ("JSON that is no longer valid", str(invalid)),
            ("records taken out, for they were encoded too deep", f"{_percent(quarantined, total)} %"),
            ("clean records that stayed byte for byte", f"{_percent(unchanged, result.clean)} % of {result.clean:,}"),
            ("engine", f"sluicegate {version('sluicegate')}, default policy"),
        ),
    )  # fmt: skip
    parts = [
        HEAD, summary, KEYS, _wide(scores, keys=True), SHAPES, _wide(scores, keys=False), _detectors(result),
        _encodings(scores), _frames(scores), _open(), _logs(result), _peer(result.peer), _again(),
    ]  # fmt: skip
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _percent(part: int, whole: int) -> str:
    if part == whole:
        return "100"
    share = 100 * part / whole if whole else 0.0
    return f"{min(share, 99.99):.2f}" if share > 99 else f"{share:.1f}" if share else "0"


def _cell(found: list[tuple[Cell, Score]], by: Callable[[Cell], str]) -> str:
    """The lowest share of what `by` tells apart: of what is claimed, or in parentheses where nothing is."""
    claimed = [(cell, score) for cell, score in found if why_open(cell) is None]
    groups: dict[str, list[Score]] = defaultdict(list)
    for cell, score in claimed or found:
        groups[by(cell)].append(score)
    shares = [(sum(each.gone for each in some), sum(each.planted for each in some)) for some in groups.values()]
    if not shares:
        return ""
    text = _percent(*min(shares, key=lambda share: share[0] / share[1]))
    return text if len(claimed) == len(found) else f"{text}*" if claimed else f"({text})"


def _all(_cell: Cell) -> str:
    return ""


def _wide(scores: dict[Cell, Score], *, keys: bool) -> str:
    cells_of: dict[tuple[str, str], list[tuple[Cell, Score]]] = defaultdict(list)
    groups = {name: group for group, names in GROUPS.items() for name in names}
    for cell, score in scores.items():
        if bool(cell.kind.keys) is keys:
            cells_of[cell.notation.name, groups[cell.encoding.name]].append((cell, score))
    worst: Callable[[Cell], str] = (lambda cell: cell.kind.name) if keys else _all
    rows = [
        (notation.name, *(_cell(cells_of[notation.name, group], worst) for group in GROUPS)) for notation in NOTATIONS
    ]
    return table(("notation", *GROUPS), (row for row in rows if any(row[1:])))


def _detectors(result: Result) -> str:
    """Recall by kind; precision against near misses."""
    by: dict[tuple[str, str], list[tuple[Cell, Score]]] = defaultdict(list)
    groups = {name: group for group, names in GROUPS.items() for name in names}
    for cell, score in result.matrix.items():
        by[cell.kind.name, groups[cell.encoding.name]].append((cell, score))
    rows = [(kind.name, *(_cell(by[kind.name, group], _all) for group in GROUPS)) for kind in BY_SHAPE]
    precision = []
    for name, (tried, wrong) in result.near.items():
        plain = [score for _, score in by[name, "as it is"]]
        right = tried * sum(each.gone for each in plain) // sum(each.planted for each in plain)
        precision.append((name, f"{tried:,}", str(wrong), _percent(right, right + wrong)))
    return _section(
        "By detector",
        f"Percent gone over all notations. From `{BY_EXAMPLE[0].name}` on, what is planted are the examples that the "
        "detectors are documented with.",
        table(("detector", *GROUPS), rows),
        "Precision against near misses, as many as there are values: cards with a wrong check digit, versions like "
        "addresses, times in nanoseconds.",
        table(("detector", "near misses", "taken for personal", "precision, %"), precision),
    )


def _encodings(scores: dict[Cell, Score]) -> str:
    rows = []
    for encoding in ENCODINGS:
        own = [(cell, score) for cell, score in scores.items() if cell.encoding is encoding]
        sides = ([each for each in own if bool(each[0].kind.keys) is keys] for keys in (True, False))
        rows.append((encoding.name, *(_cell(side, _all) for side in sides)))
    return _section("By encoding", "Percent gone.", table(("encoding", "keys", "shapes"), rows))


def _frames(scores: dict[Cell, Score]) -> str:
    rows = []
    for frame in FRAMES:
        row = [frame.name]
        for keys in (True, False):
            own = [
                score
                for cell, score in scores.items()
                if cell.frame is frame and bool(cell.kind.keys) is keys and why_open(cell) is None
            ]
            planted = sum(each.planted for each in own)
            parts = (sum(each.gone for each in own), sum(each.quarantined for each in own))
            row.extend(_percent(part, planted) for part in parts)
        rows.append(row)
    head = ("place", "keys: gone, %", "of them taken out, %", "shapes: gone, %", "of them taken out, %")
    return _section("By place", "Of what is claimed.", table(head, rows))


def _open() -> str:
    rows = [(each.kind, code(each.notation), code(each.encoding), code(each.frame), each.reason) for each in OPEN]
    body = table(("kind", "notation", "encoding", "place", "because"), rows) if rows else "Nothing."
    return _section("What is not claimed", body)


def _logs(result: Result) -> str:
    wrong = Counter((each.service, each.rule in services.ADDRESSES) for each in result.findings if not _right(each))
    rows = [
        (service, f"{lines:,}", str(wrong[service, False]), str(wrong[service, True]))
        for service, lines in result.lines.items()
    ]
    lines = sum(result.lines.values())
    totals = [sum(count for (_, address), count in wrong.items() if address is of) for of in (False, True)]
    plain, addresses = (f"{total} ({1e6 * total / lines:,.0f} in a million)" for total in totals)
    rows.append(("all", f"{lines:,}", plain, addresses))
    judged: Counter[tuple[str, str, str]] = Counter()
    shown: dict[tuple[str, str, str], str] = {}
    for each in result.findings:
        key = (each.rule, "right" if _right(each) else "wrong", each.judged.why if each.judged else "not judged yet")
        judged[key] += 1
        shown.setdefault(key, code(each.excerpt.strip()))
    listed = [
        (rule, right, str(count), shown[rule, right, why], why) for (rule, right, why), count in judged.most_common()
    ]
    return _section(
        "In logs of real services",
        "Logs of servers that name nobody (`tests/corpus/service_logs/`). Network addresses are counted apart: "
        "versions of four numbers look like them.",
        table(("log", "lines", "false positives", "of network addresses"), rows),
        "Everything that was found, and judged by hand:",
        table(("rule", "verdict", "findings", "in a million lines", "such as", "because"), listed),
    )


def _right(found: services.Found) -> bool:
    return found.judged is not None and found.judged.right


def _peer(peer: Peer | None) -> str:
    if peer is None:
        return ""
    sides = (("sluicegate", peer.ours), ("presidio-analyzer", peer.theirs))
    rows = [
        (
            f"{kind} ({entity})",
            f"{peer.planted[kind]:,}",
            *(_percent(side.gone[kind], peer.planted[kind]) for _, side in sides),
            *(f"{side.wrong[kind]} of {peer.near[kind]}" if peer.near[kind] else "" for _, side in sides),
        )
        for kind, entity in PEER.items()
        if peer.planted[kind]
    ]
    encoded = [
        (group, f"{count['planted']:,}", *(_percent(count[side], count["planted"]) for side in ("ours", "theirs")))
        for group in GROUPS
        if (count := peer.encoded.get(group))
    ]
    speed = [
        (
            name,
            f"{peer.size / side.seconds / 1e6:,.2f}",
            f"{side.seconds / peer.size * 2**30:,.0f}",
            f"{side.false_in_logs} of {peer.log_lines:,}",
        )
        for name, side in sides
    ]
    gone = ("gone: sluicegate, %", "presidio, %")
    return _section(
        "Beside presidio-analyzer",
        f"presidio-analyzer {peer.version}, its pattern recognisers alone (a blank language model, score at least "
        "0.35), on the same records: the kinds that both know, each in every notation. It reads a record as the text "
        "that it is, and knows neither keys nor encodings.",
        table(("kind", "values as they are", *gone, "near misses taken: sluicegate", "presidio"), rows),
        table(("encoded as", "values", *gone), encoded),
        "Speed on all of these, one core: most are dirty and encoded, which is the engine's slow path (everyday logs: "
        "[performance](performance.md)). And false positives in lines of real logs, network addresses apart.",
        table(("", "MB/s", "CPU s/GiB", "false positives in lines of logs"), speed),
    )


def _again() -> str:
    return _section(
        "Measuring again",
        fence("sh", "make detection"),
        "A sample of the matrix is checked by the tests, `tests/scrubbers/test_matrix.py`.",
    )


def _section(title: str, *parts: str) -> str:
    return "\n\n".join((f"## {title}", *parts))
