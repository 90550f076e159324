"""The connections that have faults: a proxy for the calls to the services, a relay for those to the API server."""
