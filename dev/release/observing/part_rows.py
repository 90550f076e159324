"""What the dashboards show of the parts: participants, operator, services, and their databases."""

from typing import Final

from dev.release.observing.panels import Panel, Query, Row, graph, number, quantile, rate, slow

HTTP: Final = "ordersaga_http_request_duration_seconds"
API: Final = "ordersaga_api_request_duration_seconds"
DATABASE: Final = "ordersaga_database_operation_duration_seconds"
PROVIDER: Final = "ordersaga_provider_call_duration_seconds"
OF_PROCESS: Final = "* on (instance) group_left (service) ordersaga_build_info{@}"

PARTICIPANTS_ROW: Final = Row(
    "Participants",
    (
        Panel(
            "Down, or paused",
            "Down: no usable answers. Paused: by a person. No calls are made meanwhile.",
            (
                Query("max by (participant) (ordersaga_participant_down{@})", "{{participant}} down"),
                Query("max by (participant) (ordersaga_participant_paused{@})", "{{participant}} paused"),
            ),
        ),
        graph(
            "Calls in flight",
            "They wait for an answer.",
            "sum by (participant) (ordersaga_participant_calls_in_flight{@})",
            "{{participant}}",
        ),
        graph(
            "Orders that wait for a turn",
            "More than a participant may be called at once.",
            "sum by (participant) (ordersaga_participant_waiting{@})",
            "{{participant}}",
        ),
        graph(
            "Calls of providers, per second",
            "Of payments, parcels and messages.",
            rate(f"{PROVIDER}_count", "service, call, outcome"),
            "{{service}} {{call}} {{outcome}}",
            "ops",
        ),
        slow("Providers: 95 % are faster", "Of payments, parcels and messages.", PROVIDER, "service, call"),
    ),
)

OPERATOR_ROW: Final = Row(
    "Operator",
    (
        number("Hold the Lease", "One is right.", "sum(ordersaga_leader{@})"),
        number(
            "Lease: other holders, in an hour",
            "An update is one.",
            "sum(max by (namespace) (changes(ordersaga_lease_transitions{@}[1h])))",
            bad_above=4,
        ),
        number(
            "Waiting to be taken in",
            "More are open than fit into memory.",
            "max(ordersaga_sagas_not_taken_in{@})",
            bad_above=1,
        ),
        number(
            "Clock ahead by", "Of the API server's.", "max(abs(ordersaga_clock_skew_seconds{@}))", "s", bad_above=30
        ),
        graph(
            "Since the Lease was renewed",
            "It is renewed every two seconds; after eight the leader calls nobody.",
            "max by (pod) (ordersaga_lease_renewal_age_seconds{@})",
            "{{pod}}",
            "s",
        ),
        graph(
            "Requests to the API server, per second",
            "By verb and status.",
            rate(f"{API}_count", "verb, status", ', service="operator"'),
            "{{verb}} {{status}}",
            "ops",
        ),
        slow("API server: 95 % are faster", "The operator's requests.", API, "verb", where=', service="operator"'),
        graph(
            "Writes, per second",
            "Of statuses, finalizers and Participants, by outcome.",
            rate("ordersaga_api_writes_total", "kind, outcome"),
            "{{kind}} {{outcome}}",
            "ops",
        ),
        slow(
            "Event loop: 99 % of timers are less late",
            "Everything a process does waits so long.",
            "ordersaga_event_loop_lag_seconds",
            "service",
            share=0.99,
        ),
        Panel(
            "Slowed down, failed, or dropped, in an hour",
            "All should be nothing.",
            (
                Query("sum(increase(ordersaga_calls_throttled_total{@}[1h]))", "calls slowed down"),
                Query("sum(increase(ordersaga_worker_failures_total{@}[1h]))", "work on an order failed"),
                Query("sum(increase(ordersaga_kubernetes_events_dropped_total{@}[1h]))", "Events dropped"),
            ),
        ),
    ),
)

SERVICES_ROW: Final = Row(
    "Services",
    (
        graph(
            "Requests, per second",
            "By service.",
            rate("ordersaga_http_requests_total", "service"),
            "{{service}}",
            "ops",
        ),
        graph(
            "Requests that failed, per second",
            "Answered with 5xx, by the problem's code.",
            rate("ordersaga_http_requests_total", "service, code", ', status=~"5.."'),
            "{{service}} {{code}}",
            "ops",
        ),
        graph(
            "Requests that were refused, per second",
            "Answered with 4xx, by the problem's code.",
            rate("ordersaga_http_requests_total", "service, code", ', status=~"4.."'),
            "{{service}} {{code}}",
            "ops",
        ),
        slow("95 % are faster", "By service.", HTTP, "service"),
        Panel(
            "The ten slowest routes",
            "95 % of their requests are faster.",
            (
                Query(
                    f"topk(10, {quantile(0.95, HTTP, 'service, method, route')})",
                    "{{service}} {{method}} {{route}}",
                ),
            ),
            "s",
        ),
        graph(
            "Work beside the requests that fails",
            "For how long.",
            "max by (service, work) (ordersaga_background_failing_seconds{@}) > 0",
            "{{service}} {{work}}",
            "s",
        ),
        graph(
            "Processor",
            "Seconds a second, of each process: one is a whole core.",
            f"sum by (service) (rate(process_cpu_seconds_total{{@}}[~]) {OF_PROCESS})",
            "{{service}}",
        ),
        graph(
            "Memory",
            "Of each process.",
            f"max by (service) (process_resident_memory_bytes{{@}} {OF_PROCESS})",
            "{{service}}",
            "bytes",
        ),
    ),
)

DATABASE_ROW: Final = Row(
    "Database",
    (
        graph("Operations, per second", "By service.", rate(f"{DATABASE}_count", "service"), "{{service}}", "ops"),
        slow("95 % are faster", "By service.", DATABASE, "service"),
        slow("By operation: 95 % are faster", "A transaction is one with all its repetitions.", DATABASE, "operation"),
        graph(
            "Operations that failed, per second",
            "Without those that found what they were to insert: that is how a repetition is known.",
            rate(f"{DATABASE}_count", "service, operation", ', outcome="error"'),
            "{{service}} {{operation}}",
            "ops",
        ),
    ),
)

TOLD_ROW: Final = Row(
    "Told to others",
    (
        graph(
            "Lifecycle events, per second",
            "Taken by the sink, if there is one.",
            rate("ordersaga_lifecycle_events_sent_total", "type"),
            "{{type}}",
            "ops",
        ),
        graph(
            "Lifecycle events that wait",
            "The sink has not taken them yet. None is lost.",
            "sum by (type) (ordersaga_lifecycle_events_waiting{@})",
            "{{type}}",
        ),
        graph(
            "Messages to customers, per second",
            "Attempts to deliver one, by provider and outcome.",
            rate("ordersaga_messages_total", "provider, outcome"),
            "{{provider}} {{outcome}}",
            "ops",
        ),
        graph(
            "Spans that no collector got, per second",
            "Traces have gaps then.",
            rate("ordersaga_spans_dropped_total", "service"),
            "{{service}}",
            "ops",
        ),
    ),
)
