#!/usr/bin/env bash
# The whole of OrderSaga on this machine, without containers. `./run-local.sh --help` tells the rest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$python" -m dev.setup.bootstrap run "$@"
    fi
done
echo "Python 3.11 or newer is needed: install it, or name it in PYTHON (PYTHON=/path/to/python3 $0)." >&2
exit 1
