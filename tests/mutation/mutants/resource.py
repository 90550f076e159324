"""What the API server keeps: the rules of the resource definition."""

from tests.mutation.mutants.mutant import Mutant

RESOURCE = (
    Mutant(
        "one order, one resource, one id",
        1,
        "crds/ordersaga.yaml",
        "- rule: oldSelf.hasValue() || self.metadata.name == self.spec.orderID",
        "- rule: oldSelf.hasValue() || self.metadata.name != ''",
        "tests/crd/test_refused_orders.py::test_it_is_refused_with_a_message_that_says_why",
    ),
    Mutant(
        "an order is immutable",
        1,
        "crds/ordersaga.yaml",
        "atomic\n                  x-kubernetes-validations:\n                    - rule: self == oldSelf\n"
        "                      reason: FieldValueForbidden\n"
        '                      message: "an order is immutable, and this would change its items',
        "atomic\n                  x-kubernetes-validations:\n                    - rule: self == self\n"
        "                      reason: FieldValueForbidden\n"
        '                      message: "an order is immutable, and this would change its items',
        "tests/crd/test_refused_changes.py::test_a_change_of_spec_is_refused",
    ),
    Mutant(
        "a cancelled order stays cancelled",
        6,
        "crds/ordersaga.yaml",
        "- rule: oldSelf != 'Cancelled' || self == 'Cancelled'",
        "- rule: self == self || oldSelf == self",
        "tests/crd/test_refused_changes.py::test_a_manifest_without_state_does_not_take_a_cancel_back",
    ),
    Mutant(
        "the spec of a finished saga can't change",
        8,
        "crds/ordersaga.yaml",
        "|| self.spec == oldSelf.spec",
        "|| true",
        "tests/crd/test_refused_changes.py::test_it_is_too_late_to_change_a_finished_saga",
    ),
    Mutant(
        "the status of a finished saga can't change",
        8,
        "crds/ordersaga.yaml",
        "in ['Completed', 'Compensated']) || self == oldSelf",
        "in ['Completed', 'Compensated']) || true",
        "tests/crd/test_refused_changes.py::test_a_status_is_refused",
    ),
    Mutant(
        "only a stuck effect can be marked by hand",
        9,
        "crds/ordersaga.yaml",
        "- rule: self.action != 'MarkCompensated' || self.step in ['inventory', 'payment', 'shipping']",
        "- rule: self.action != ''",
        "tests/crd/test_refused_orders.py::test_it_is_refused_with_a_message_that_says_why",
    ),
    Mutant(
        "a changed intervention needs a new id",
        9,
        "crds/ordersaga.yaml",
        "- rule: self == oldSelf || self.id != oldSelf.id",
        "- rule: self == self || self.id != oldSelf.id",
        "tests/crd/test_refused_changes.py::test_a_change_of_spec_is_refused",
    ),
)
