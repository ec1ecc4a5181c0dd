"""One module per kind of page; each gives a page's text and nothing else: no file, no clock, nothing of the machine."""
