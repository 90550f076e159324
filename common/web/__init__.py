"""The HTTP side of a service: the app factory, problems, lists, idempotency keys, metrics."""
