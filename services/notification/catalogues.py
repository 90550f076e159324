"""The files with messages: ours, or the shop's own in their place."""

import re
import tomllib
from pathlib import Path
from typing import Final

from services.notification.models import LOCALE
from services.notification.wording import BadWording, Wordings, wording_of

OURS: Final = Path(__file__).parent / "messages"
MOST_FILES: Final = 200
LARGEST: Final = 64 * 1024
"""Bytes of a file: twenty times ours."""


def read(folder: Path | None, default: str) -> Wordings:
    """The messages in this folder's files (`{locale}.toml`), or ours without one; `default` has to be among them.

    Raises:
        BadWording: one sentence that names the file and what to do about it.
    """
    folder = folder or OURS
    try:
        files = sorted(folder.glob("*.toml"))
        if len(files) > MOST_FILES:
            raise BadWording(f"{folder} has more than {MOST_FILES} files with messages")
        by_locale = {}
        for file in files:
            if not re.fullmatch(LOCALE, file.stem):
                raise BadWording(f"{file} is named after no language: name it like de.toml or fr-CA.toml")
            with file.open("rb") as opened:
                content = opened.read(LARGEST + 1)
            if len(content) > LARGEST:
                raise BadWording(f"{file} has more than {LARGEST} bytes")
            try:
                by_locale[file.stem.lower()] = wording_of(file.stem, tomllib.loads(content.decode()))
            except ValueError as error:  # no TOML, no UTF-8, or not what messages need
                raise BadWording(f"{file}: {error}") from error
    except OSError as error:
        raise BadWording(f"{folder} can't be read ({error.strerror}): mend ORDERSAGA_MESSAGES") from error
    if default.lower() not in by_locale:
        raise BadWording(
            f"{folder} has no {default}.toml, which ORDERSAGA_MESSAGES_LOCALE names: add it, or name another language"
        )
    return Wordings(by_locale, default)
