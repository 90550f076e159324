"""Calls to the participants: which call may be made now, how it is made, and what its answer means."""
