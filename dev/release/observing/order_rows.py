"""What the dashboards show of orders: how many, how fast, what is wrong with them, and their steps."""

from typing import Final

from dev.release.observing.panels import Row, graph, number, quantiles, rate, slow

DURATION: Final = "ordersaga_saga_duration_seconds"
CALL: Final = "ordersaga_step_call_duration_seconds"
STEP: Final = "ordersaga_step_duration_seconds"
IN_TIME: Final = (
    f'(sum(increase({DURATION}_bucket{{@, le="60.0"}}[1h])) or vector(0))'
    f" / (sum(increase({DURATION}_count{{@}}[1h])) + sum(ordersaga_sagas_late{{@}}))"
)

ORDERS_ROW: Final = Row(
    "Orders",
    (
        number("Open orders", "Sagas that are worked on.", "sum(ordersaga_sagas{@})"),
        number(
            "Waiting for a person",
            "Failed: nothing happens to them until somebody decides. kubectl saga list --needs-person",
            'sum(ordersaga_sagas{@, phase="Failed"}) or vector(0)',
            bad_above=1,
        ),
        number("Late now", "Open for more than a minute, and not suspended.", "sum(ordersaga_sagas_late{@})"),
        number(
            "Ended within a minute",
            "Of those of the last hour, with those that are late and open. The objective is 99 %.",
            IN_TIME,
            "percentunit",
        ),
        graph("Open orders by phase", "Sagas that are worked on.", "sum by (phase) (ordersaga_sagas{@})", "{{phase}}"),
        graph(
            "Orders that ended, per second",
            "Completed: all of it happened. Compensated: nothing of it is left.",
            rate("ordersaga_sagas_finished_total", "phase"),
            "{{phase}}",
            "ops",
        ),
        quantiles("From its making to its end", "The dots lead to traces, where orders are traced.", DURATION),
        graph(
            "Why orders were undone, per second",
            "The reason of the rollback, of orders that have ended.",
            rate("ordersaga_sagas_finished_total", "reason", ', phase="Compensated"'),
            "{{reason}}",
            "ops",
        ),
    ),
)

TROUBLE_ROW: Final = Row(
    "Trouble",
    (
        graph(
            "What open orders wait for",
            "By step and reason, as kubectl saga list groups them.",
            "sum by (step, reason) (ordersaga_sagas_held_up{@})",
            "{{step}} {{reason}}",
        ),
        graph(
            "The oldest open order",
            "Its age, by phase.",
            "max by (phase) (ordersaga_oldest_open_seconds{@}) > 0",
            "{{phase}}",
            "s",
        ),
        graph(
            "Longest without progress",
            "No step or undo has come to an end for so long. SagaStuck fires at half an hour.",
            "max by (phase) (ordersaga_oldest_saga_seconds{@}) > 0",
            "{{phase}}",
            "s",
        ),
        graph(
            "Undos that a person has to look at, in an hour",
            "They have spent their attempts and their time.",
            "sum by (step) (increase(ordersaga_compensations_failed_total{@}[1h]))",
            "{{step}}",
        ),
        graph(
            "Answers that no participant should give, per second",
            "4xx that are no refusals: a release or a configuration doesn't fit.",
            rate("ordersaga_participant_errors_total", "participant"),
            "{{participant}}",
            "ops",
        ),
        graph(
            "Interventions, in an hour",
            "What people decided, and whether it applied.",
            "sum by (action, outcome) (increase(ordersaga_interventions_total{@}[1h]))",
            "{{action}} {{outcome}}",
        ),
    ),
)

STEPS_ROW: Final = Row(
    "Steps",
    (
        graph(
            "Calls, per second",
            "Do and undo.",
            rate(f"{CALL}_count", "step, operation"),
            "{{step}} {{operation}}",
            "ops",
        ),
        graph(
            "Calls without a usable answer",
            "Their share, by step: they are made again.",
            f'(sum by (step) (rate({CALL}_count{{@, outcome="Unavailable"}}[~])) or 0 * sum by (step)'
            f" (rate({CALL}_count{{@}}[~]))) / sum by (step) (rate({CALL}_count{{@}}[~]))",
            "{{step}}",
            "percentunit",
        ),
        slow("One call: 95 % are faster", "Without pauses between repetitions.", CALL, "step"),
        slow("A step: 95 % are faster", "With all repetitions and pauses.", STEP, "step, operation"),
        graph(
            "Calls that will be made again, per second",
            "By the reason.",
            rate("ordersaga_step_retries_total", "step, reason"),
            "{{step}} {{reason}}",
            "ops",
        ),
        graph(
            "Undos, per second",
            "`none`: there was nothing to undo.",
            rate("ordersaga_compensations_total", "step, effect"),
            "{{step}} {{effect}}",
            "ops",
        ),
    ),
)
