"""The one exception of the local stack: its text is written for the person at the terminal."""


class StackError(Exception):
    """Something a person has to know or do: one clear sentence, with the path of a log where there is one."""
