"""What finds personal data by its shape, one module a family; each exports DETECTORS."""

from scrubbers.detectors import contact, finance, national, secrets, web
from scrubbers.detectors.detector import Detector

DETECTORS: dict[str, Detector] = {
    detector.name: detector for family in (contact, finance, national, secrets, web) for detector in family.DETECTORS
}
