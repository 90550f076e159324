"""Messages to the customer, each of them once for an order, and the contacts that they go to."""
