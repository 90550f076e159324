"""The order service: the saga's arbiter, and the door through which clients place, see and cancel orders."""
