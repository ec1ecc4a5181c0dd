"""`sluicegate status`: what the spool holds, and what became of everything read, by the ledger."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from collector.cli.exits import CommandError
from collector.cli.options import ConfigFile, configured
from collector.cli.words import counted

if TYPE_CHECKING:
    from collector.spool import Amount, Balance, Ledger

EPILOG = """\
Examples:

    $ sluicegate status                         # of the embedded default's spool
    $ sluicegate status --config gate.yaml
    $ sluicegate status --json | jq '.balances[] | select(.pending.records > 0)'

For each source and destination: read = delivered + pending + dropped + quarantined, in
records as they were read. It works while the gate runs, and while it does not. The
command ends with 1 if the ledger does not balance.
"""


def status(
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, with bytes and reasons.")] = False,
) -> None:
    """Show what the spool holds and what became of everything that was read."""
    from collector.spool import Ledger, SpoolError, SpoolRefused

    loaded = configured(config)
    try:
        with closing(Ledger.open(loaded.spool.directory)) as ledger:
            balances = ledger.balance()
            spool = _spool(ledger, loaded.spool.max_bytes)
    except (SpoolError, SpoolRefused) as error:
        raise CommandError(str(error)) from None
    if as_json:
        print(json.dumps({"spool": spool, "balances": list(map(_json, balances))}))
    else:
        _print(spool, balances)
    if not all(balance.holds for balance in balances):
        raise CommandError("the ledger does not balance")


def _spool(ledger: "Ledger", limit: int) -> dict[str, Any]:
    from collector.spool import pending

    states = dict(ledger.read("SELECT state, count(*) FROM segment GROUP BY state"))
    return {
        "bytes": ledger.usage("segments"),
        "limit_bytes": limit,
        "open_segments": states.get("open", 0),
        "sealed_segments": states.get("sealed", 0),
        "pending_bytes": pending(ledger),
        "quarantine_bytes": ledger.usage("quarantine"),
    }


def _print(spool: Mapping[str, Any], balances: "Sequence[Balance]") -> None:
    from rich.table import Table

    from collector.cli.terminal import Console

    console = Console()
    console.print(
        f"spool: {spool['bytes']:,} of {counted(spool['limit_bytes'], 'byte')}; "
        f"{spool['open_segments']} open and {counted(spool['sealed_segments'], 'sealed segment')}; "
        f"quarantine: {counted(spool['quarantine_bytes'], 'byte')}"
    )
    names = ("source", "destination", "read", "delivered", "pending", "dropped", "quarantined")
    table = Table(*names, box=None, pad_edge=False, header_style="bold")
    for column in table.columns[2:]:
        column.justify = "right"
    for balance in balances:
        table.add_row(
            balance.origin,
            balance.destination,
            *(f"{amount.records:,}" for amount in (balance.read, balance.delivered, balance.pending)),
            *map(_with_reasons, (balance.dropped, balance.quarantined)),
        )
    console.print(table if balances else "nothing was read yet")


def _with_reasons(amounts: "Mapping[str, Amount]") -> str:
    total = sum(amount.records for amount in amounts.values())
    return f"{total:,} ({', '.join(sorted(amounts))})" if total else "0"


def _json(balance: "Balance") -> dict[str, Any]:
    return {
        "source": balance.origin,
        "destination": balance.destination,
        "holds": balance.holds,
        **{name: getattr(balance, name)._asdict() for name in ("read", "delivered", "pending")},
        **{
            name: {reason: amount._asdict() for reason, amount in getattr(balance, name).items()}
            for name in ("dropped", "quarantined")
        },
    }
