"""What finds personal data by its shape, one module a family; each exports DETECTORS."""

from scrubbers.detectors import (
    banking,
    contact,
    finance,
    national,
    national_europe,
    national_world,
    network,
    person,
    phone,
    secrets,
    tokens,
    web,
)
from scrubbers.detectors.detector import Detector

_FAMILIES = (
    contact,
    phone,
    person,
    finance,
    banking,
    national,
    national_europe,
    national_world,
    network,
    web,
    secrets,
    tokens,
)

DETECTORS: dict[str, Detector] = {detector.name: detector for family in _FAMILIES for detector in family.DETECTORS}
