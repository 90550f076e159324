"""The local stack: real parts as processes on this machine, for the demonstration and for tests."""
