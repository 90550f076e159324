"""The engine: a worker for each live saga, the calls to the participants, and the writes to the API server."""
