"""The plan of a run, a pure function of its seed: which orders, which faults, and what happens to which call."""
