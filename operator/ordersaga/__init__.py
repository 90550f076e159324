"""The `ordersaga` command, for people and for the chart's jobs.

    audit         checks that the records of all orders are consistent
    conformance   checks whether a participant keeps the protocol
    drain         waits until no order needs the operator: the chart's pre-delete hook
    smoke         places one order: the chart's test hook

It reads databases, resources and REST answers as they are documented: it imports no service, and not the operator.
"""
