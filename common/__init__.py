"""Mechanism that the services share: app factory, barrier, database, errors, logs, settings. Imports no service."""
