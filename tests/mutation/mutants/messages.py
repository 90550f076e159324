"""Messages to customers: none is lost by our own fault, none goes to whom it shouldn't, and none in the clear."""

from tests.mutation.mutants.mutant import OUTAGE, Mutant

DELIVERY = "services/notification/delivery"
SMTP = "services/notification/tests/test_smtp.py"
WEBHOOK = "services/notification/tests/test_webhook.py"

MESSAGES = (
    Mutant(
        "a mail server that doesn't take our password says nothing of a customer's address",
        OUTAGE,
        f"{DELIVERY}/answers.py",
        "if stage not in {Stage.RECIPIENT, Stage.CONTENT}:\n        return Meaning.OURS",
        "if stage not in {Stage.RECIPIENT, Stage.CONTENT}:\n        return Meaning.BOUNCED",
        f"{SMTP}::test_a_wrong_password_holds_the_message_until_the_file_has_the_right_one",
    ),
    Mutant(
        "a message whose answer was lost counts as one that may have gone",
        4,
        f"{DELIVERY}/smtp.py",
        "        if stage is Stage.CONTENT:\n            raise Unanswered",
        "        if False:\n            raise Unanswered",
        f"{SMTP}::test_after_a_lost_answer_it_goes_again_under_the_same_message_id",
    ),
    Mutant(
        "a message that is handed over again has the same Message-ID",
        1,
        f"{DELIVERY}/mail.py",
        'mail["Message-ID"] = message_id_of(message, sender)',
        'mail["Message-ID"] = message_id_of(message, sender).replace("@", f"{now.timestamp()}@")',
        f"{SMTP}::test_after_a_lost_answer_it_goes_again_under_the_same_message_id",
    ),
    Mutant(
        "a server that doesn't encrypt gets neither password nor message",
        18,
        f"{DELIVERY}/connections.py",
        '"start_tls": settings.smtp_tls == "starttls"}',
        '"start_tls": None}',
        f"{SMTP}::test_a_server_without_starttls_gets_neither_password_nor_message",
    ),
    Mutant(
        "what a mail server says of a recipient is not repeated",
        18,
        f"{DELIVERY}/answers.py",
        "    if stage in {Stage.RECIPIENT, Stage.CONTENT}:\n        return f",
        "    if False:\n        return f",
        f"{SMTP}::test_a_no_that_isnt_the_recipients_loses_no_message",
    ),
    Mutant(
        "a slow mail server has so many of our connections and no more",
        15,
        f"{DELIVERY}/connections.py",
        "async with self._turns:",
        "if True:",
        f"{SMTP}::test_connections_are_bounded_and_used_again",
    ),
    Mutant(
        "a webhook's redirect, or its refusal of our signature, loses no message",
        OUTAGE,
        f"{DELIVERY}/webhook.py",
        'if status in NO_RECIPIENT and _code(answer) == "bounced":',
        "if status in NO_RECIPIENT:",
        f"{WEBHOOK}::test_any_other_no_loses_no_message",
    ),
    Mutant(
        "a message that may have arrived is handed over ever more rarely",
        OUTAGE,
        f"{DELIVERY}/smtp.py",
        "        self._raise_if_too_early(message)\n",
        "",
        f"{SMTP}::test_a_server_that_delivers_and_is_too_slow_to_say_so_gives_nobody_the_same_mail_all_day",
    ),
)
