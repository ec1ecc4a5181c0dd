"""A worker in a process of its own, to be killed: stores numbered records for ever, saying each commit on stdout."""

import random
import sys
from pathlib import Path

from spooling import append, counted, open_spool, position, position_of

from collector.spool import Limits


def main(directory: Path, worker: int, seed: int) -> None:
    chance = random.Random(seed)
    key = f"file-{worker}"
    spool = open_spool(directory, worker, Limits(segment_bytes=6_000, open_segments=2))
    number = position_of(spool, key)
    print(number, flush=True)
    while True:
        for _ in range(chance.randint(1, 4)):
            records = range(number, number + chance.randint(1, 20))
            append(spool, key, records, hour=chance.randrange(4), padding=chance.choice([0, 0, 50, 300]))
            number = records[-1] + 1
        if chance.random() < 0.1:
            spool.advance([position(key, number)], counts=[counted("read", 1), counted("dropped", 1, "filtered")])
        spool.commit()
        print(number, flush=True)


main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
