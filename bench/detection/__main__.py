"""How much is found and how much is found wrongly, measured on the labelled corpus: writes docs/detection.md.

    python -m bench.detection [--records N] [--seed S] [--presidio PYTHON] [--output FILE]
    python -m bench.detection --open

`make detection` makes the environment that presidio-analyzer runs in first; without one its column stays empty. Ends
with 1 if something that is claimed (tests/corpus/claims.py) does not hold. `--open` tells in a minute how those
cells fare that are not claimed, for those who mend them: a row that holds can go.
"""

import argparse
import sys
from pathlib import Path

from bench.detection.measure import open_rows, run
from bench.detection.page import render

PAGE = Path(__file__).parents[2] / "docs" / "detection.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=3, help="records of each cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--presidio", help="the Python that has presidio-analyzer")
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument("--open", action="store_true", help="print how what is not claimed fares, and write nothing")
    options = parser.parse_args()
    if options.open:
        for row, score in open_rows(options.seed):
            name = f"{row.kind} / {row.notation} / {row.encoding} / {row.frame}"
            print(f"{score.gone:4} of {score.planted:3} gone, {score.exact:3} exact  {name}")
            for before, after in (score.misses or score.damaged)[:1]:
                print(f"     {before.decode()}\n     {after.decode()}")
        return 0
    result = run(options.records, options.seed, options.presidio)
    options.output.write_text(render(result), encoding="utf-8")
    for line in result.broken:
        print(line, file=sys.stderr)
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())
