"""`operator-sdk bundle validate`, the judge of our bundle (gotools.py builds it; ORDERSAGA_OPERATOR_SDK names another).

python -m dev.release.judges.sdk               what `make verify-bundle` does
python -m dev.release.judges.sdk -- bundle validate --list-optional
"""

import subprocess
import sys

from dev.release.judges import gotools, verified
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT

BUNDLE = "./manifests/olm/bundle"
VALIDATE = ("bundle", "validate", BUNDLE, "--select-optional", "suite=operatorframework")


def main(arguments: list[str]) -> int:
    """Run the program in the checkout; its exit status."""
    given = [argument for argument in arguments if argument != "--"]
    try:
        status = subprocess.run(
            [gotools.find("operator-sdk"), *(given or VALIDATE)], cwd=CHECKOUT, check=False
        ).returncode
        if not status and not given:
            verified.passed("verify-bundle")
        return status
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
