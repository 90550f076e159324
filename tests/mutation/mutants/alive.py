"""What keeps the parts of the operator alive, or lets the process end and say why."""

from tests.mutation.mutants.mutant import OPERATOR, OUTAGE, Mutant

SUPERVISION = "tests/operator/test_supervision.py"
LEASE = "tests/unit/engine/test_lease.py"
CLIENT = "tests/contract/test_kube_client_trouble.py"

ALIVE = (
    Mutant(
        "a part of the operator that dies ends the process, which says why",
        14,
        f"{OPERATOR}/__main__.py",
        'raise PartEnded(f"{name} has failed: {error!r}") from error',
        "return",
        f"{SUPERVISION}::test_a_part_that_dies_ends_the_process_which_says_which_one_and_why",
    ),
    Mutant(
        "a worker that dies costs its own saga alone",
        14,
        f"{OPERATOR}/engine/supervised.py",
        "if not await self._contain(error):",
        "if True:",
        f"{SUPERVISION}::test_a_worker_that_dies_costs_its_own_saga_alone_which_says_so_and_goes_on",
    ),
    Mutant(
        "a resource that can't be read is left alone",
        14,
        f"{OPERATOR}/engine/engine.py",
        "        except Exception as error:\n            _note_unreadable(error)\n            return False",
        "        except ZeroDivisionError:\n            return False",
        "tests/unit/engine/test_poisoned.py::test_no_resource_whatever_is_in_it_raises_where_the_events_of_all_come_in",
    ),
    Mutant(
        "a limit for a participant that doesn't exist keeps the operator from starting",
        OUTAGE,
        f"{OPERATOR}/settings.py",
        "if unknown := sorted(set(rates) - set(SERVICES)):",
        "if unknown := sorted(set()):",
        "tests/unit/engine/test_operator_settings.py::test_a_rate_of_nobody_or_of_nothing_is_an_error_at_the_start",
    ),
    Mutant(
        "a kubeconfig that can't be read is no reason to stop",
        14,
        "common/kube/config.py",
        "except Exception as error:",
        "except (config.ConfigException, OSError, ValueError) as error:",
        f"{CLIENT}::test_a_kubeconfig_that_is_being_rewritten_costs_nothing",
    ),
    Mutant(
        "liveness fails when a part is silent though the API server answers",
        14,
        f"{OPERATOR}/health.py",
        "stuck = bool(overdue) and await self._answers()",
        "stuck = False",
        f"{SUPERVISION}::test_healthz_fails_when_the_lease_is_not_renewed_though_the_api_server_answers",
    ),
    Mutant(
        "an annotation that is no epoch counts as none",
        7,
        f"{OPERATOR}/lease_record.py",
        "if not isinstance(text, str) or not _NUMBER.fullmatch(text):",
        "if text is None:",
        f"{LEASE}::test_whatever_a_lease_is_annotated_with_the_next_epoch_is_one_that_participants_take",
    ),
    Mutant(
        "an epoch far in the future counts as none",
        7,
        f"{OPERATOR}/lease_record.py",
        "return 0 <= epoch <= _milliseconds(now) + BELIEVED_AHEAD",
        "return True",
        f"{LEASE}::test_whatever_a_lease_is_annotated_with_the_next_epoch_is_one_that_participants_take",
    ),
    Mutant(
        "the leader stops calling before a follower may lead",
        7,
        f"{OPERATOR}/lease.py",
        "SURE: Final = 0.8",
        "SURE: Final = 1.2",
        f"{LEASE}::test_the_leader_is_sure_for_less_time_than_a_follower_waits_and_the_metric_says_so",
    ),
    Mutant(
        "after no answer the Lease is renewed over a new connection",
        OUTAGE,
        f"{OPERATOR}/lease.py",
        "if error.status == 0 and self._reconnect is not None:",
        "if False:",
        f"{LEASE}::test_after_no_answer_the_next_renewal_goes_over_a_new_connection",
    ),
    Mutant(
        "a renewal that was on its way when the operator stopped is found and taken back",
        OUTAGE,
        f"{OPERATOR}/lease.py",
        "lease = await self._read_again()",
        "return",
        f"{LEASE}::test_a_renewal_in_flight_does_not_keep_the_lease_from_being_released",
    ),
    Mutant(
        "without a Lease nobody leads beside an operator that works",
        7,
        f"{OPERATOR}/lease.py",
        "if shown != seen:",
        "if False:",
        f"{LEASE}::test_where_there_can_be_no_lease_nobody_leads_while_the_sagas_change",
    ),
    Mutant(
        "a call to the API server ends in time, whatever drips",
        15,
        "common/kube/client.py",
        "async with asyncio.timeout(seconds):",
        "async with asyncio.timeout(None):",
        f"{CLIENT}::test_a_dripping_answer_is_given_up_after_the_time_for_the_whole_call",
    ),
    Mutant(
        "an answer of the API server is bounded",
        15,
        "common/kube/client.py",
        "if len(content) > BODY_LIMIT:",
        "if len(content) > 2**40:",
        f"{CLIENT}::test_a_list_of_huge_objects_is_read_in_smaller_pages",
    ),
)
