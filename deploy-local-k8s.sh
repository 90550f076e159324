#!/usr/bin/env bash
# The whole of OrderSaga in a Kubernetes cluster on this machine. `./deploy-local-k8s.sh --help` tells the rest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$python" -m dev.release.deploy.local "$@"
    fi
done
echo "Python 3.11 or newer is needed: install it, or name it in PYTHON (PYTHON=/path/to/python3 $0)." >&2
exit 1
