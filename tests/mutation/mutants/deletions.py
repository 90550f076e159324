"""Resources that go: their finalizers, deletions, and what merely looks like one."""

from tests.mutation.mutants.mutant import OPERATOR, Mutant

DELETIONS = (
    Mutant(
        "a finalizer that is taken off comes back while a call is in flight",
        10,
        f"{OPERATOR}/engine/worker.py",
        "self._restorer.put_back(resource)",
        "pass",
        "tests/operator/resources/test_lost_resources.py::test_a_finalizer_comes_back_while_a_call_is_in_flight",
    ),
    Mutant(
        "our finalizer is there before the first effect",
        10,
        f"{OPERATOR}/engine/worker.py",
        "await recorder.ensure_finalizer()",
        "await asyncio.sleep(0)",
        "tests/operator/answers/test_answers.py::test_a_resource_made_by_kubectl_gets_the_finalizer_before_the_first_effect",
    ),
    Mutant(
        "a finalizer that somebody has taken off while no operator ran comes back",
        10,
        f"{OPERATOR}/engine/worker.py",
        "await recorder.ensure_finalizer()",
        "await (asyncio.sleep(0) if self.resource.status else recorder.ensure_finalizer())",
        "tests/operator/resources/test_lost_resources.py"
        "::test_a_saga_that_lost_its_finalizer_while_no_operator_ran_gets_it_back_before_the_next_call",
    ),
    Mutant(
        "a resource that is gone without a deletion is read before the next call",
        10,
        f"{OPERATOR}/engine/engine.py",
        "self._workers[uid].doubt()",
        "pass",
        "tests/operator/resources/test_lost_resources.py::test_nothing_is_called_for_an_order_whose_resource_went_without_a_deletion_timestamp",
    ),
    Mutant(
        "a call whose turn came after the resource went isn't made",
        10,
        f"{OPERATOR}/engine/worker.py",
        "if self._doubted:  # since its turn was waited for",
        "if False:",
        "tests/operator/resources/test_lost_resources.py::test_a_call_that_waits_for_its_turn_is_not_made_when_the_resource_is_gone",
    ),
    Mutant(
        "sagas end as after a deletion when their namespace goes",
        10,
        f"{OPERATOR}/engine/worker.py",
        "deleting=resource.deleting or self._shared.namespace_ends.is_set(),",
        "deleting=resource.deleting,",
        "tests/operator/apiserver/test_namespace.py::test_an_operator_that_is_told_to_stop_in_a_doomed_namespace_ends_its_sagas_first",
    ),
    Mutant(
        "a finalizer stays until the saga is Completed or Compensated",
        9,
        f"{OPERATOR}/resource/body.py",
        "return self.phase in FINISHED",
        'return self.phase in {*FINISHED, "Failed"}',
        "tests/operator/resources/test_hazards.py::test_a_failed_saga_keeps_its_finalizer",
    ),
    Mutant(
        "what is going already without our finalizer is never started",
        10,
        f"{OPERATOR}/engine/engine.py",
        "if resource.deleting and not resource.has_finalizer:",
        "if False:",
        "tests/operator/resources/test_hazards.py::test_a_resource_that_is_already_going_without_our_finalizer_is_never_started",
    ),
    Mutant(
        "leaving the selector is not a deletion",
        10,
        f"{OPERATOR}/engine/engine.py",
        "uid, gone = resource.uid, resource.deleting and not resource.finalizers",
        "uid, gone = resource.uid, True",
        "tests/operator/resources/test_hazards.py::test_an_object_that_leaves_the_selector_is_not_taken_for_deleted",
    ),
    Mutant(
        "a deletion names the object and the version",
        12,
        "common/kube/client.py",
        'preconditions = {"uid": uid, "resourceVersion": resource_version}',
        "preconditions: dict[str, str | None] = {}",
        "tests/contract/backing/test_kube_client.py::test_what_is_created_can_be_read_patched_and_deleted",
    ),
)
