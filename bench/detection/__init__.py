"""How much is found and how much is found wrongly: measured on the labelled corpus, told in docs/detection.md."""
