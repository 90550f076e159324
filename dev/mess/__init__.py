"""A mess: 500 orders with two dozen kinds of trouble at once on a running local stack, to try what shows them."""
