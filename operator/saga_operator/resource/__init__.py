"""What the API server shows of a saga: its resource read and written, as pure functions."""
