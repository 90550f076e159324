"""Passwords and secrets in files that others replace. They are read for each use, and shown nowhere."""

from pathlib import Path
from typing import Final

LONGEST: Final = 4096
"""Bytes: a token of a mail provider has a few hundred."""


class NoSecret(Exception):  # noqa: N818 - it reads as what happened
    """The file can't be read, or holds nothing. The text names the file."""


def secret_in(file: Path) -> str:
    """What the file holds, without the line break at its end. Raises NoSecret."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LONGEST + 1)
        secret = content.decode().strip("\r\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise NoSecret(f"{file} can't be read ({why})") from None
    if not secret or len(content) > LONGEST:
        raise NoSecret(f"{file} is {'too long' if secret else 'empty'}")
    return secret
