"""What is made of text from outside: fit for where it goes, or refused."""

from tests.mutation.mutants.mutant import OPERATOR, Mutant

BORDER = "tests/contract/test_answers_of_strangers.py"
ANY_ANSWER = f"{BORDER}::test_any_answer_becomes_an_outcome_that_can_be_recorded_told_and_gone_on_from"

OUTSIDE = (
    Mutant(
        "what a participant says is printable and bounded wherever it goes",
        16,
        f"{OPERATOR}/process/events.py",
        "object.__setattr__(self, name, printable(getattr(self, name), limit))",
        "pass",
        ANY_ANSWER,
    ),
    Mutant(
        "an answer that is nested a thousand deep is no answer",
        16,
        f"{OPERATOR}/engine/answers.py",
        "except (ValueError, RecursionError):",
        "except ValueError:",
        ANY_ANSWER,
    ),
    Mutant(
        "a Location is a path of the same participant that can be asked for",
        16,
        f"{OPERATOR}/engine/answers.py",
        'return location if _PATH.fullmatch(location) else ""',
        'return location if location.startswith("/") else ""',
        ANY_ANSWER,
    ),
    Mutant(
        "a correlation id that is no header is replaced",
        16,
        f"{OPERATOR}/resource/body.py",
        "return identifier((self._metadata.get",
        "return ((self._metadata.get",
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
)
