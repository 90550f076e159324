"""What the operator measures. Prometheus conventions: base units, `_total` for counters; labels are bounded."""

from prometheus_client import Counter, Gauge, Histogram

SAGAS = Gauge("ordersaga_sagas", "Live sagas that this operator works on, by phase.", ["phase"])
FINISHED = Counter("ordersaga_sagas_finished_total", "Sagas that have ended.", ["phase"])
DURATION = Histogram(
    "ordersaga_saga_duration_seconds",
    "From the creation of the resource to its end.",
    ["phase"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)
STEP_DURATION = Histogram(
    "ordersaga_step_call_duration_seconds",
    "One call to a participant.",
    ["step", "operation", "outcome"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RETRIES = Counter("ordersaga_step_retries_total", "Calls that will be made again.", ["step", "operation", "reason"])
ROLLBACKS = Counter("ordersaga_rollbacks_total", "Decisions to roll back.", ["reason"])
COMPENSATIONS = Counter("ordersaga_compensations_total", "Undo calls that have answered.", ["step", "effect"])
STUCK = Counter("ordersaga_compensations_failed_total", "Undos that spent their budget: a person must look.", ["step"])
API_WRITES = Counter("ordersaga_api_writes_total", "Writes to the API server.", ["kind", "outcome"])
SWEEP_RESUMED = Counter("ordersaga_sweep_resumed_total", "Sagas that the sweep found without a worker.")
EVENTS_DROPPED = Counter("ordersaga_kubernetes_events_dropped_total", "Kubernetes Events not sent.", ["why"])
LEADER = Gauge("ordersaga_leader", "1 while this process holds the Lease.")
BREAKER = Gauge("ordersaga_participant_down", "1 while a participant counts as down.", ["participant"])
