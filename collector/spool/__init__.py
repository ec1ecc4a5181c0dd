"""The spool: the durable place between sources and exporters, and the checkpoint of both.

`recover` takes the spool for a gate and brings it in order; each worker writes through a `Spool`; the shipping process
sends what `Deliveries` lists.
"""

from collector.spool.delivery import Deliveries, Dropped, Refused, Unsent, pending, put_back
from collector.spool.errors import SpoolError, SpoolFull, SpoolRefused
from collector.spool.ledger import Amount, Balance, Count, Ledger, SealedRecord
from collector.spool.recovery import Recovered, recover
from collector.spool.spool import Limits, Spool

__all__ = [
    "Amount",
    "Balance",
    "Count",
    "Deliveries",
    "Dropped",
    "Ledger",
    "Limits",
    "Recovered",
    "Refused",
    "SealedRecord",
    "Spool",
    "SpoolError",
    "SpoolFull",
    "SpoolRefused",
    "Unsent",
    "pending",
    "put_back",
    "recover",
]
