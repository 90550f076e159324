"""What is made of text from outside: fit for where it goes, or refused."""

from tests.mutation.mutants.mutant import OPERATOR, Mutant

BORDER = "tests/contract/test_answers_of_strangers.py"
ANY_ANSWER = f"{BORDER}::test_any_answer_becomes_an_outcome_that_can_be_recorded_told_and_gone_on_from"
ANY_REQUEST = "tests/contract/test_any_request.py::test_no_request_makes_a_service_fail"
ODD = "tests/unit/common/test_odd_requests.py"

OUTSIDE = (
    Mutant(
        "what a participant says is printable and bounded wherever it goes",
        16,
        f"{OPERATOR}/process/events.py",
        "object.__setattr__(self, name, printable(getattr(self, name), limit))",
        "pass",
        "tests/unit/resource/test_status_words.py::"
        "test_whatever_text_an_outcome_was_made_of_it_is_recorded_in_printable_words",
    ),
    Mutant(
        "an answer that is nested a thousand deep is no answer",
        16,
        f"{OPERATOR}/engine/calls/answers.py",
        "except (ValueError, RecursionError):",
        "except ValueError:",
        ANY_ANSWER,
    ),
    Mutant(
        "a correlation id that is no header is replaced",
        16,
        f"{OPERATOR}/resource/body.py",
        'return identifier((self._metadata.get("annotations") or {}).get(CORRELATION_ID))',
        'return str((self._metadata.get("annotations") or {}).get(CORRELATION_ID) or "")',
        f"{BORDER}::test_whatever_the_correlation_annotation_says_the_call_is_made",
    ),
    Mutant(
        "a correlation id that is mended is seen without a restart",
        16,
        f"{OPERATOR}/engine/worker.py",
        "CallContext(epoch, recorder.resource.correlation_id)",
        "CallContext(epoch, recorder.resource.uid)",
        "tests/operator/test_text_from_outside.py::test_a_correlation_id_that_is_mended_is_seen_without_a_restart",
    ),
    Mutant(
        "the reason of a cancel is no longer than the order service takes it",
        16,
        f"{OPERATOR}/process/reasons.py",
        'return _HUMP.sub("_", reason).lower()[:LONGEST]',
        'return _HUMP.sub("_", reason).lower()',
        "tests/unit/resource/test_status_words.py::"
        "test_the_reason_of_a_cancel_is_no_longer_than_the_order_service_takes_it",
    ),
    Mutant(
        "what a problem quotes of a request can be shown",
        16,
        "common/errors.py",
        "self.detail = printable(detail, LONGEST_DETAIL)",
        "self.detail = detail",
        ANY_REQUEST,
    ),
    Mutant(
        "a refused body's order is repeated only if it is an id",
        16,
        "common/web/problems.py",
        '_ORDER_ID.validate_python(body.get("order_id")) if isinstance(body, dict) else None',
        'body.get("order_id") if isinstance(body, dict) else None',
        ANY_REQUEST,
    ),
    Mutant(
        "what MongoDB can't keep is refused before it is asked",
        16,
        "common/wire.py",
        "StorableJson = Annotated[Json, AfterValidator(_storable)]",
        "StorableJson = Annotated[Json, AfterValidator(dict)]",
        f"{ODD}::test_what_the_database_cannot_keep_is_invalid",
    ),
    Mutant(
        "what the command prints is nothing that a terminal obeys",
        16,
        "operator/ordersaga/terminal.py",
        "self._out.write(lines(text))",
        "self._out.write(text)",
        "tests/cli/test_terminal.py::test_an_answer_cannot_write_on_the_terminal",
    ),
    Mutant(
        "a whole number has no decimal point, and its field is named",
        16,
        "crds/ordersaga.yaml",
        "rules above fail on it, and name no field.\n                          - rule: self == self",
        'rules above fail on it, and name no field.\n                          - rule: "true"',
        "tests/crd/test_refused_orders.py::test_it_is_refused_with_a_message_that_says_why",
    ),
    Mutant(
        "methods that nobody knows are one label",
        16,
        "common/web/metrics.py",
        'method = method if method in _METHODS else "_OTHER"',
        "pass",
        f"{ODD}::test_methods_that_nobody_knows_are_one_label",
    ),
    Mutant(
        "nothing that a request says begins a line of the log",
        16,
        "common/logs.py",
        "message = printable(record.getMessage(), LONGEST)",
        "message = record.getMessage()",
        f"{ODD}::test_the_text_of_an_error_stays_in_its_own_lines",
    ),
    Mutant(
        "a body that drips is given up",
        16,
        "common/web/middleware.py",
        "async with asyncio.timeout_at(ends):",
        "async with asyncio.timeout_at(None):",
        f"{ODD}::test_a_body_that_drips_is_given_up",
    ),
    Mutant(
        "a head that drips loses its connection",
        16,
        "common/web/connections.py",
        "self._closing = self.loop.call_later(self.seconds, self.transport.close)",
        "return",
        "tests/contract/test_slow_clients.py::test_a_request_that_is_begun_and_never_ends_does_not_keep_its_connection",
    ),
    Mutant(
        "a document that can't be shown hides no other of its list",
        14,
        "common/web/pagination.py",
        "except Exception as error:  # whatever is in it, it is one of many",
        "except ZeroDivisionError as error:  # whatever is in it, it is one of many",
        "tests/contract/test_lists.py::test_a_document_that_can_not_be_shown_hides_no_other",
    ),
    Mutant(
        "whatever answers in another service's place, placing an order is no 500",
        16,
        "services/order/clients.py",
        "except (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError) as error:",
        "except (httpx.TransportError, aiohttp.ClientError, OSError) as error:",
        "tests/contract/test_placing_with_other_services.py::test_an_answer_without_prices_is_no_answer",
    ),
    Mutant(
        "an answer of the order service that has no end is not read on",
        15,
        "common/shop/orders.py",
        "if len(content) > MAX_ANSWER_BYTES:",
        "if False:",
        "tests/contract/test_order_service_answers.py::test_an_answer_without_an_end_is_none_and_is_not_read_on",
    ),
    Mutant(
        "a slash too many leads nowhere",
        16,
        "common/web/app.py",
        '"redirect_slashes": False,',
        '"redirect_slashes": True,',
        f"{ODD}::test_a_slash_too_many_is_not_found_and_leads_nowhere",
    ),
)
