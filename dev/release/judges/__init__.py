"""The bundle for the Operator Lifecycle Manager: made, and judged by the Operator SDK."""
