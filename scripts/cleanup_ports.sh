#!/usr/bin/env bash
# Frees the services' ports (8000 to 8004, or the given ones) from processes that this project left behind; with --force
# from any process.
#   ./scripts/cleanup_ports.sh [--force] [port ...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.ordersaga/venv/bin/python
if [ ! -x "$python" ]; then
    echo "This needs the checkout's virtual environment, which isn't there: \`make venv\` makes it." >&2
    exit 1
fi
exec "$python" -m dev.stack.ports --free "$@"
