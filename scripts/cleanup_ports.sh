#!/usr/bin/env bash
# Frees the services' ports (8000 to 8004, or the ones given) from leftovers of this project. With --force from anybody.
#   ./scripts/cleanup_ports.sh [--force] [port ...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec "${PYTHON:-python3}" -m dev.stack.ports --free "$@"
