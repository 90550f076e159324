"""The checks that other tests rely on: `assert_books` notices everything that is missing or left."""

from tests.e2e.system import Stack


def test_the_audit_notices_everything_that_is_missing_or_left(stack: Stack) -> None:
    completed, compensated = stack.new_id("books"), stack.new_id("books")
    stack.shop.place(completed)
    stack.shop.place(compensated, payment={"method_ref": "test-declined"})
    phases = stack.until_finished(completed, compensated)
    stack.assert_books(phases)
    wrong = stack.books.audit({completed: "Compensated", compensated: "Completed"})
    for order_id, said in (
        (completed, "the order is CONFIRMED"),
        (completed, "net captured 2500 instead of 0"),
        (completed, "ledger says 2500 instead of 0"),
        (completed, "1 live shipments"),
        (completed, "1 messages"),
        (completed, "holds {'p-mug': 2} instead of {}"),
        (compensated, "the order is CANCELLED"),
        (compensated, "net captured 0 instead of 2500"),
        (compensated, "0 live shipments"),
        (compensated, "0 messages"),
        (compensated, "holds {} instead of {'p-mug': 2}"),
    ):
        assert any(finding.startswith(order_id) and said in finding for finding in wrong), said
