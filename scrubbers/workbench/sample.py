"""Logs for those who have none at hand: JSON records made from a seed, with what every detector says that it finds.

Clean records hold what costs a scrubber time: identifiers, long numbers, times to the nanosecond, private addresses.
"""

import json
import random

from scrubbers.detectors import DETECTORS
from scrubbers.policy import Policy

RECORDS = 5_000  # distinct ones
DIRTY = 0.02

_MESSAGES = (
    "request completed in 12.75 ms",
    "cache miss, loading from store",
    "retrying upstream call to 10.2.0.17:5432 after timeout",
    "GET /api/v2/products/88123/reviews?page=3&size=50 200",
    "consumer group rebalanced, 12 partitions assigned",
    "slow query: SELECT id, sku, qty FROM stock WHERE sku = $1 took 182.4 ms",
)


def sample(policy: Policy, size: int, *, share: float = DIRTY, seed: int = 1) -> bytes:
    r"""About `size` bytes of records, each ended by `\n`; `share` of them hold something that a detector finds, or one
    of the policy's keys."""
    rnd = random.Random(seed)  # noqa: S311
    examples = [example for detector in DETECTORS.values() for example in detector.must]
    names = [name.replace("*", "x") for rule in policy.keys for name in rule.names] or ["note"]
    lines = [_record(rnd, number, rnd.random() < share, examples, names) for number in range(RECORDS)]
    block = b"".join(lines)
    whole, rest = divmod(size, len(block))
    return block * whole + block[: block.rfind(b"\n", 0, rest) + 1]


def _record(rnd: random.Random, number: int, dirty: bool, examples: list[str], names: list[str]) -> bytes:
    nanos = 1_790_000_000_000_000_000 + number * 1_000_003
    record: dict[str, object] = {
        "ts": f"2026-09-21T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.{nanos % 10**9:09}Z",
        "level": rnd.choice(("info", "debug", "warn")),
        "msg": rnd.choice(_MESSAGES),
        "trace": {"trace_id": f"{rnd.getrandbits(128):032x}", "span_id": f"{rnd.getrandbits(64):016x}"},
        "k8s": {"pod": f"shop-{rnd.getrandbits(40):010x}-{rnd.getrandbits(20):05x}", "node": "ip-10-0-4-17"},
        "time_unix_nano": nanos,
        "order_id": rnd.randrange(10**12, 10**13),
    }
    if dirty and rnd.random() < 0.5:
        record["msg"] = f"{record['msg']}; {rnd.choice(examples)}"
    elif dirty:
        record[rnd.choice(names)] = f"{rnd.getrandbits(48):012x}"
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
