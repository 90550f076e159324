"""The rules of the audit. Pure."""
