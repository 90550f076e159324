"""Orders: clients place, see and cancel them, and their documents decide between confirmation and rollback."""
