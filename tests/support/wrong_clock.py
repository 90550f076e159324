"""A process whose host's clock is wrong."""

import os
from pathlib import Path

WRONG_CLOCK = "import time\nright = time.time\ntime.time = lambda: right() + {}\n"
"""A sitecustomize, which the interpreter imports before anything else."""


def wrong_clock(folder: Path, seconds: float) -> dict[str, str]:
    """The environment of a Python program whose clock is so many seconds ahead; `folder` is for what it takes."""
    (folder / "sitecustomize.py").write_text(WRONG_CLOCK.format(seconds))
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}
