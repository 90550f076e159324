#!/usr/bin/env bash
# The images of OrderSaga in the registry of an OpenShift cluster. `./push-to-openshift.sh --help` tells the rest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$python" -m dev.release.deploy.push "$@"
    fi
done
echo "Python 3.11 or newer is needed: install it, or name it in PYTHON (PYTHON=/path/to/python3 $0)." >&2
exit 1
