"""How fast each origin may be read, so that one which floods leaves time, disk and room in the spool to the others."""

from collections import OrderedDict
from collections.abc import Callable

BURST_SECONDS = 1.0  # what was not used up that long ago is gone
_MOST = 10_000


class Pace:
    """A budget of `rate` bytes a second for each origin; None: no limit. `clock` gives seconds."""

    def __init__(self, rate: int | None, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._paid: OrderedDict[str, float] = OrderedDict()  # until when what was read is paid for

    def wait(self, origin: str) -> float:
        """Seconds until it may be read again; not above 0: now."""
        return self._paid.get(origin, 0.0) - self._clock()

    def spend(self, origin: str, size: int) -> None:
        """Note that so many bytes of it were read."""
        if self._rate is None or not size:
            return
        begun = max(self._paid.pop(origin, 0.0), self._clock() - BURST_SECONDS)
        self._paid[origin] = begun + size / self._rate
        if len(self._paid) > _MOST:
            self._paid.popitem(last=False)
