"""`operator-sdk bundle validate`, the judge of our bundle (gotools.py builds it; ORDERSAGA_OPERATOR_SDK names another).

python -m dev.release.judges.sdk               what `make verify-bundle` does
python -m dev.release.judges.sdk -- bundle validate --list-optional
"""

import subprocess
import sys

from dev.release.judges import gotools, verified
from dev.setup.errors import exit_status
from dev.setup.paths import CHECKOUT

BUNDLE = "./manifests/olm/bundle"
VALIDATE = ("bundle", "validate", BUNDLE, "--select-optional", "suite=operatorframework")


def main(arguments: list[str]) -> int:
    """Run the program in the checkout; its exit status."""
    given = [argument for argument in arguments if argument != "--"]

    def work() -> int:
        command = [gotools.find("operator-sdk"), *(given or VALIDATE)]
        status = subprocess.run(command, cwd=CHECKOUT, check=False).returncode
        if not status and not given:
            verified.passed("verify-bundle")
        return status

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
