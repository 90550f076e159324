"""The sources of the audit."""
