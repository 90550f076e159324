"""The `ordersaga` command: `audit` proves that the books balance, `conformance` tests a participant.

It reads only what is recorded and what travels on the wire: it knows no service and nothing of the operator's inside.
"""
