"""What a policy costs in CPU time, and what each of its rules costs alone, beside zstd level 1 on the same bytes.

Machines are noisy and differ: the yardstick runs in each round, the least of the rounds counts, and ratios are what can
be compared. Costs of rules alone add up to more than the policy costs: rules share their scans.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import zstandard

from scrubbers.engine import Scrubber
from scrubbers.policy import Policy

ROUNDS = 3


@dataclass(slots=True, frozen=True)
class Cost:
    """Of one rule, alone: CPU seconds beyond those of a policy without rules, and how often it found something."""

    rule: str
    seconds: float
    findings: int


@dataclass(slots=True, frozen=True)
class Measured:
    """CPU seconds for all bytes, the least of the rounds."""

    size: int  # bytes
    records: int
    deep: int  # records of the reference path
    zstd: float
    seconds: float
    nothing: float  # of a policy without rules

    @property
    def ratio(self) -> float:
        """zstd's time over the policy's: 0.5 means that scrubbing takes twice the time that compressing does."""
        return self.zstd / self.seconds

    @property
    def rate(self) -> float:
        """MB/s of CPU time."""
        return self.size / self.seconds / 1e6


def measure(policy: Policy, blocks: Sequence[bytes], rounds: int = ROUNDS) -> Measured:
    """What the whole policy costs. `blocks` of whole records."""
    compressor = zstandard.ZstdCompressor(level=1)
    scrubber, idle = Scrubber(policy), Scrubber(_with(policy))
    works: tuple[Callable[[bytes], Any], ...] = (compressor.compress, scrubber.scrub, idle.scrub)
    zstd, seconds, nothing = _least(works, blocks, rounds)
    deep = sum(scrubber.scrub(block).deep for block in blocks)
    records = sum(block.count(b"\n") + (not block.endswith(b"\n")) for block in blocks)
    return Measured(sum(map(len, blocks)), records, deep, zstd, seconds, nothing)


def costs(policy: Policy, blocks: Sequence[bytes], rounds: int = ROUNDS) -> Iterator[Cost]:
    """What each rule costs alone, one after another; all key rules are one: their names are searched together."""
    for name, alone in rules(policy):
        scrubber, idle = Scrubber(alone), Scrubber(_with(policy))
        seconds, nothing = _least((scrubber.scrub, idle.scrub), blocks, rounds)
        findings = sum(sum(scrubber.scrub(block).findings.values()) for block in blocks)
        yield Cost(name, max(0.0, seconds - nothing), findings)


def rules(policy: Policy) -> list[tuple[str, Policy]]:
    """The rules that are measured, each as a policy of its own."""
    names = sum(len(rule.names) for rule in policy.keys)
    found = [(f"keys ({names} names)", _with(policy, keys=policy.keys))] if policy.keys else []
    found += [(rule.called, _with(policy, patterns=(rule,))) for rule in policy.patterns]
    return found + [(f"{rule.name} ({len(rule.values)} values)", _with(policy, deny=(rule,))) for rule in policy.deny]


def _with(policy: Policy, **lists: Any) -> Policy:
    return policy.model_copy(update={"keys": (), "patterns": (), "deny": (), **lists})


def _least(works: Sequence[Callable[[bytes], Any]], blocks: Sequence[bytes], rounds: int) -> list[float]:
    """The least CPU seconds of each of the works over all blocks; they take turns."""
    least = [float("inf")] * len(works)
    for _ in range(rounds):
        for number, work in enumerate(works):
            start = time.process_time()
            for block in blocks:
                work(block)
            least[number] = min(least[number], time.process_time() - start)
    return least
