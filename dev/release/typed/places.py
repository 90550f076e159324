"""What a command of the documents needs, and how it is typed there."""

from dataclasses import dataclass
from enum import StrEnum

from dev.release.typed.documents import Command


class Place(StrEnum):
    """What a command needs."""

    CLUSTER = "cluster"
    """The current context is a cluster of kind (or one that has a program of that name to load images)."""
    ENGINE = "engine"
    """A container engine, and docker-compose."""
    MACHINE = "machine"
    """The local stack of ./run-local.sh."""
    NOWHERE = "nowhere"
    """It isn't typed; the rule says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Commands of a page, and how they are typed."""

    page: str
    """A pattern of names of files."""
    text: str
    """A regular expression for the command's beginning."""
    place: Place
    instead: tuple[tuple[str, str], ...] = ()
    """What a reader puts in for what the page can't know: (as written, as typed)."""
    before: str = ""
    """What the page takes for granted, as shell: it is run first, and has to succeed."""
    after: str = ""
    """What shows that it worked, as shell."""
    stays: bool = False
    """It goes on until it is interrupted, which happens after some seconds."""
    terminal: bool = False
    """It wants a person's terminal; what it sets isn't there for the next command."""
    statuses: tuple[int, ...] = (0,)
    """Exit statuses that are all right: grep has 1 where nothing is found, a refusal that the page shows isn't 0."""
    why: str = ""
    """Of what isn't typed."""

    def typed(self, command: Command) -> str:
        """The command with what a reader puts in."""
        text = command.text
        for written, put_in in self.instead:
            text = text.replace(written, put_in)
        return text
