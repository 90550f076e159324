"""What is written of a saga: its status, its Events, its finalizer, and its story in the archive."""
