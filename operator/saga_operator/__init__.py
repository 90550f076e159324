"""The operator: reconciles `OrderSaga` resources step by step.

process/     pure: the steps, what to do next, and what an event changes
resource/    pure: the resource read and written, its conditions and its Events
engine/      I/O: a worker for each live saga, the calls, the writes to the API server
handlers     kopf's one event handler, which hands each event to the engine
lease        which operator works, and the epoch of its calls
health       `/healthz`, `/readyz` and `/metrics`; metrics: what they count
"""
