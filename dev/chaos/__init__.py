"""Chaos: many orders on a stack of its own while its parts are killed and its calls fail; then an audit.

plan/       what a run is going to do, a pure function of its seed: orders, user actions, faults of parts and of calls
network/    the proxy that injects the faults of calls, and the relay in front of the API server
system      the parts: started, killed, paused, started again
customers   the clients; load runs them, and watches the sagas
protocol    what must be true of the calls of one saga; checks: what must be true of each order at the end
run         a scenario from the start to the audit; report: what a person reads about it
random_faults, outage    the scenarios: a plan's orders and faults; minutes without the API server

See docs/chaos.md.
"""
