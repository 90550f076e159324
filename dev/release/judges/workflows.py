"""`make verify-workflows`: actionlint judges .github/workflows.

gotools.py builds it; ORDERSAGA_ACTIONLINT names another. It knows the syntax of workflows and the types of expressions;
zizmor, the judge of their security, is part of `make lint`.
"""

import subprocess
import sys
from pathlib import Path

from dev.release.judges import gotools, verified
from dev.setup.errors import exit_status
from dev.setup.paths import CHECKOUT


def main() -> int:
    """Judge all workflows; the exit status."""

    def work() -> int:
        # Neither shellcheck nor pyflakes: it would call whichever this machine happens to have.
        program: list[str | Path] = [gotools.find("actionlint"), "-shellcheck=", "-pyflakes="]
        files = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
        status = subprocess.run([*program, *files], cwd=CHECKOUT, check=False).returncode
        if not status:
            verified.passed("verify-workflows")
        return status

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
