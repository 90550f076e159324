"""The connections that a run disturbs: calls to the services over HTTP, and those to the API server, byte by byte."""
