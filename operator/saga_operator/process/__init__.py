"""The process, and what to do next: pure functions over recorded data. Nothing in here does I/O or knows the time."""
