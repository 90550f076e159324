"""Where things are kept: one ignored folder of the checkout, and one cache folder for what is shared between checkouts.

Standard library only: `dev.setup.bootstrap` needs this before the virtual environment exists.
"""

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".ordersaga"
VENV = STATE / "venv"
LOGS = STATE / "logs"


def cache() -> Path:
    """The folder of fetched and built programs: ORDERSAGA_CACHE, else the user's cache folder."""
    if configured := os.environ.get("ORDERSAGA_CACHE"):
        return Path(configured).expanduser().resolve()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "ordersaga"
