"""What presidio-analyzer finds in records: its pattern recognisers alone, with a blank language model.

    .venv-evidence/bin/python bench/detection/presidio.py < records > findings

Runs in an environment of its own (requirements/evidence.lock), so it imports nothing of the project. One JSON string a
line comes in, one JSON array of `[start, end, entity]` a line goes out; the last line is the CPU seconds it took.
"""

import json
import sys
import time

import spacy
import tldextract.tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine

tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())  # the list it comes with: no network

ENTITIES = ["EMAIL_ADDRESS", "CREDIT_CARD", "US_SSN", "IBAN_CODE", "PHONE_NUMBER", "IP_ADDRESS"]
THRESHOLD = 0.35  # of the examples in its documentation; without one, every ninth digit is a finding


class Blank(SpacyNlpEngine):
    """Words for its context rules, and no model to be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.nlp = {"en": spacy.blank("en")}


def main() -> None:
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
    texts = [json.loads(line) for line in sys.stdin]
    analyzer.analyze(texts[0], language="en")  # what is loaded at first use is not counted
    start = time.process_time()
    found = [analyzer.analyze(text, language="en", entities=ENTITIES, score_threshold=THRESHOLD) for text in texts]
    seconds = time.process_time() - start
    for each in found:
        print(json.dumps([[one.start, one.end, one.entity_type] for one in each]))
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
