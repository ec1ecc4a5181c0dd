"""The benchmark corpus: nested JSON application logs of about 350 bytes a line, made from a seed.

The clean records hold what troubles a scrubber in real logs: nanosecond timestamps as text and as numbers, trace and
span ids, UUIDs, pod hashes, versions, private addresses, durations, digests and long numeric ids. A dirty record has
one or two pieces of personal data, in assorted places and notations. `python -m bench.corpus` prints the checksums
that the benchmarks pin.
"""

import base64
import hashlib
import json
import random
from collections.abc import Callable

SEED = 20_240_229
SHARES = (0.0, 0.02, 0.3, 1.0)
_RECORDS = 20_000  # distinct records a share; repeated up to the size asked for


def corpus(share: float, size: int, *, seed: int = SEED) -> bytes:
    """About `size` bytes of newline-terminated records, of which the share `share` holds personal data."""
    block = b"".join(records(share, _RECORDS, seed=seed))
    whole, rest = divmod(size, len(block))
    return block * whole + block[: block.rfind(b"\n", 0, rest) + 1]


def records(share: float, count: int, *, seed: int = SEED) -> list[bytes]:
    """`count` records, each with its newline. Which ones are dirty does not depend on what the clean ones hold."""
    rnd = random.Random(f"{seed}/{share}")
    made = []
    for number in range(count):
        record = _clean(rnd, number)
        if rnd.random() < share:
            for plant in rnd.choices(_PLANTS, weights=_WEIGHTS, k=1 + (rnd.random() < 0.3)):
                plant(rnd, record)
        made.append(json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    return made


def checksum(share: float) -> str:
    """SHA-256 of the distinct records of a share, the first 16 hex digits."""
    return hashlib.sha256(b"".join(records(share, _RECORDS))).hexdigest()[:16]


Record = dict[str, object]

_SERVICES = ("checkout", "cart", "inventory", "search", "payments", "gateway", "recommendations")
_MESSAGES = (
    "request completed",
    "cache miss, loading from store",
    "retrying upstream call after timeout",
    "order state changed from PENDING to CONFIRMED",
    "connection pool at 17 of 64",
    "slow query: SELECT id, sku, qty FROM stock WHERE sku = $1 took 182.4 ms",
    "GET /api/v2/products/88123/reviews?page=3&size=50 200",
    "consumer group rebalanced, 12 partitions assigned",
    "feature flag new-pricing evaluated to true for segment b",
    "gc pause 14.2ms heap 412MB -> 188MB",
)
_FIRST = ("anna", "bjorn", "chen", "dora", "emeka", "fatima", "george", "hana", "ivan", "julia", "kofi", "lena")
_LAST = ("smith", "garcia", "okafor", "tanaka", "mueller", "rossi", "nowak", "silva", "haddad", "larsen", "kumar")
_DOMAINS = ("example.com", "example.org", "mail.example.net", "corp.example.co.uk", "example.io")


def _hex(rnd: random.Random, digits: int) -> str:
    return f"{rnd.getrandbits(digits * 4):0{digits}x}"


def _uuid(rnd: random.Random) -> str:
    digits = _hex(rnd, 32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _clean(rnd: random.Random, number: int) -> Record:
    nanos = 1_790_000_000_000_000_000 + number * 1_000_003 + rnd.randrange(1_000_000)
    service = rnd.choice(_SERVICES)
    record: Record = {
        "ts": f"2026-09-21T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.{nanos % 10**9:09}Z",
        "level": rnd.choice(("info", "info", "info", "debug", "warn")),
        "service": service,
        "msg": rnd.choice(_MESSAGES),
        "trace": {"trace_id": _hex(rnd, 32), "span_id": _hex(rnd, 16)},
        "k8s": {"pod": f"{service}-{_hex(rnd, 10)}-{_hex(rnd, 5)}", "node": f"ip-10-0-{rnd.randrange(256)}-17"},
    }
    extra = rnd.randrange(6)
    if extra == 0:
        record["http"] = {"method": "GET", "path": f"/v1/items/{rnd.randrange(10**6)}", "status": 200, "ms": 12.75}
    elif extra == 1:
        record["request_id"] = _uuid(rnd)
        record["time_unix_nano"] = nanos
    elif extra == 2:
        record["build"] = {"version": "2.14.0-rc.3", "commit": _hex(rnd, 40)}
    elif extra == 3:
        record["kafka"] = {"topic": "orders.v3", "partition": rnd.randrange(48), "offset": rnd.randrange(10**11)}
    elif extra == 4:
        record["db"] = {"rows": rnd.randrange(500), "order_id": rnd.randrange(10**12, 10**13), "peer": "10.2.0.17:5432"}
    else:
        record["sizes"] = [rnd.randrange(10**6) for _ in range(5)]
        record["digest"] = f"sha256:{_hex(rnd, 64)}"
    return record


def _email(rnd: random.Random) -> str:
    return f"{rnd.choice(_FIRST)}.{rnd.choice(_LAST)}{rnd.randrange(1000)}@{rnd.choice(_DOMAINS)}"


def _card(rnd: random.Random) -> str:
    body = rnd.choice(("4", "51", "55", "2221", "37", "6011")) + "".join(rnd.choices("0123456789", k=16))
    body = body[: 14 if body.startswith("37") else 15]
    total = sum(sum(divmod(int(d) * (2 if i % 2 == 0 else 1), 10)) for i, d in enumerate(reversed(body)))
    return body + str(-total % 10)


def _grouped(card: str, sep: str) -> str:
    return sep.join(card[i : i + 4] for i in range(0, len(card), 4)) if len(card) == 16 else card


def _ssn(rnd: random.Random) -> str:
    return f"{rnd.randrange(1, 665):03}-{rnd.randrange(1, 99):02}-{rnd.randrange(1, 9999):04}"


def _iban(rnd: random.Random) -> str:
    account = "".join(rnd.choices("0123456789", k=18))
    return f"DE{98 - int(account + '131400') % 97:02}{account}"


def _phone(rnd: random.Random) -> str:
    return rnd.choice(
        (
            f"+1 415 {rnd.randrange(200, 999)} {rnd.randrange(10**4):04}",
            f"+4930{rnd.randrange(10**6, 10**7)}",
            f"(415) {rnd.randrange(200, 999)}-{rnd.randrange(10**4):04}",
            f"+44 20 7946 0{rnd.randrange(1000):03}",
        )
    )


def _ip(rnd: random.Random) -> str:
    return f"{rnd.choice((81, 93, 145, 203))}.{rnd.randrange(256)}.{rnd.randrange(256)}.{rnd.randrange(1, 255)}"


def _jwt(rnd: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    signature = base64.urlsafe_b64encode(rnd.randbytes(32)).decode().rstrip("=")
    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': _hex(rnd, 8)})}.{signature}"


def _nest(record: Record, name: str) -> Record:
    nested = record.setdefault(name, {})
    assert isinstance(nested, dict)
    return nested


def _say(record: Record, text: str) -> None:
    record["msg"] = f"{record['msg']}; {text}"


_PLANTS_WEIGHTED: tuple[tuple[int, Callable[[random.Random, Record], None]], ...] = (
    # by key, at several depths
    (10, lambda rnd, rec: _nest(rec, "user").update(id=rnd.randrange(10**6), email=_email(rnd))),
    (6, lambda rnd, rec: rec.update(email=_email(rnd))),
    (5, lambda rnd, rec: _nest(_nest(rec, "request"), "headers").update(Authorization=f"Bearer {_hex(rnd, 40)}")),
    (4, lambda rnd, rec: _nest(rec, "form").update(password=_hex(rnd, 12), remember=True)),
    (3, lambda rnd, rec: _nest(rec, "customer").update(ssn=_ssn(rnd), phone=_phone(rnd))),
    (2, lambda rnd, rec: _nest(rec, "payment").update(creditCard=_card(rnd), amount=1250)),
    # by pattern, in values and in text
    (10, lambda rnd, rec: _say(rec, f"user {_email(rnd)} signed in")),
    (8, lambda rnd, rec: _nest(rec, "client").update(addr=_ip(rnd), port=rnd.randrange(1024, 65536))),
    (6, lambda rnd, rec: _say(rec, f"from {_ip(rnd)} in 12 ms")),
    (5, lambda rnd, rec: _say(rec, f"card {_grouped(_card(rnd), rnd.choice(' -'))} declined")),
    (3, lambda rnd, rec: rec.update(pan=int(_card(rnd)))),
    (4, lambda rnd, rec: _say(rec, f"callback to {_phone(rnd)} requested")),
    (2, lambda rnd, rec: _say(rec, f"refund to {_iban(rnd)}")),
    (2, lambda rnd, rec: _say(rec, f"verified {_ssn(rnd)}")),
    (2, lambda rnd, rec: rec.update(session=_jwt(rnd))),
    (1, lambda rnd, rec: _say(rec, f"peer 2a02:{_hex(rnd, 4)}:{_hex(rnd, 4)}::{_hex(rnd, 3)}")),
    (1, lambda rnd, rec: rec.update(dsn=f"postgres://app:{_hex(rnd, 10)}@db.internal:5432/shop")),
    (1, lambda rnd, rec: rec.update(upstream=f"ghp_{_hex(rnd, 36)}")),
    # by key in other notations
    (3, lambda rnd, rec: _say(rec, f"login ok user={_hex(rnd, 6)} email={_email(rnd)} ms=12")),
    (3, lambda rnd, rec: _nest(rec, "http").update(url=f"/signup?plan=pro&email={_email(rnd)}&src=ad")),
    (1, lambda rnd, rec: rec.update(raw=json.dumps({"email": _email(rnd), "ok": True}))),
)
_WEIGHTS = tuple(weight for weight, _ in _PLANTS_WEIGHTED)
_PLANTS = tuple(plant for _, plant in _PLANTS_WEIGHTED)


if __name__ == "__main__":
    for each in SHARES:
        print(f"{each:4.0%}  {checksum(each)}")
