"""What keeps an auditor from saying anything."""


class CannotLookError(Exception):
    """Something that has to be read can't be; the message says what, and what to do."""
