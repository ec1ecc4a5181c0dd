"""What each detector costs alone, and the keys of the default policy, as a share of zstd level 1's time.

    python -m bench.detectors [--size MIB] [--dirty SHARE] [--json FILE]

The pinned corpus; CPU time beyond that of a policy without rules; the least of five rounds, in each of which the
yardstick runs. Alone a detector pays for a scan that it shares in a policy: the costs add up to more than the whole.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from bench.corpus import SHARES, checksum, corpus
from bench.results import show
from bench.scrub import CHECKSUMS, ROUNDS, blocks
from scrubbers import Policy, load_policy
from scrubbers.detectors import DETECTORS
from scrubbers.workbench.cost import costs, measure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=16, help="MiB of the corpus")
    parser.add_argument("--dirty", type=float, default=0.02, choices=SHARES, help="share of records with personal data")
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    options = parser.parse_args()
    if checksum(options.dirty) != CHECKSUMS[options.dirty]:
        print(f"the corpus of share {options.dirty} is not the pinned one", file=sys.stderr)
        return 1
    given = blocks(corpus(options.dirty, options.size << 20))
    policy = Policy.model_validate({
        "patterns": [{"detector": name} for name in DETECTORS],
        "keys": [rule.model_dump() for rule in load_policy().keys],
    })  # fmt: skip
    whole = measure(policy, given, ROUNDS)
    rows = sorted(costs(policy, given, ROUNDS), key=lambda cost: -cost.seconds)
    table = Table("alone", "findings", "µs a record", "of zstd's time")
    table.add_row("no rules", "", f"{whole.nothing / whole.records * 1e6:.3f}", f"{whole.nothing / whole.zstd:.0%}")
    for row in rows:
        each = row.seconds / whole.records * 1e6
        table.add_row(row.rule, f"{row.findings:,}", f"{each:.3f}", f"{row.seconds / whole.zstd:.0%}")
    together = whole.seconds / whole.records * 1e6
    table.add_row("all together", "", f"{together:.3f}", f"{whole.seconds / whole.zstd:.0%}")
    show(table, {"whole": asdict(whole), "alone": [asdict(row) for row in rows]}, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
