"""The commands of the documents, typed: read out of the pages, each with the place where it belongs, and run there.

`make docs-test` (python -m dev.release.typed) is how; places.py says what is typed where, and what is not and why.
"""
