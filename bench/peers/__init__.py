"""What others do for the same orders: a naive coordinator, and Restate."""
