"""Decides what is personal and removes it. A library that works on bytes.

from scrubbers import Scrubber, load_policy

scrubber = Scrubber(load_policy())
scrubber.scrub(b'{"email":"x@y.io","n":1.10}\\n').body  # b'{"n":1.10}\\n'
"""

from scrubbers.engine import Scrubber
from scrubbers.outcome import Quarantined, Scrubbed
from scrubbers.policy import Policy
from scrubbers.policy_file import load_policy

__all__ = ["Policy", "Quarantined", "Scrubbed", "Scrubber", "load_policy"]
