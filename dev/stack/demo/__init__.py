"""Orders on a running stack: a customer, the demonstration, and the audit of what the orders left in the databases."""
