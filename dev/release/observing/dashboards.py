"""The dashboards as files: Grafana's in the chart, and the one for the console of OpenShift.

python -m dev.release.observing.dashboards            write them (`make manifests`)
python -m dev.release.observing.dashboards --check    exit status 1 if one isn't what it would be
"""

import json
import sys
from pathlib import Path
from typing import Final

from common.wire import Json
from dev.release import generated
from dev.release.observing.drawn import ROWS, asked, console, grafana
from dev.setup.paths import CHECKOUT

GRAFANA: Final = CHECKOUT / "helm" / "files" / "dashboards" / "ordersaga.json"
CONSOLE: Final = CHECKOUT / "manifests" / "openshift" / "dashboard" / "ordersaga.json"


def documents() -> dict[Path, str]:
    """Both, by their paths."""
    return {GRAFANA: _text(grafana()), CONSOLE: _text(console())}


def expressions() -> set[str]:
    """All that they ask Prometheus, as it is asked for a namespace `shop`, with rates over five minutes."""
    return {
        asked(query, namespace='namespace="shop"', over="5m")
        for row in ROWS
        for panel in row.panels
        for query in panel.queries
    }


def _text(dashboard: Json) -> str:
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(generated.main("python -m dev.release.observing.dashboards", documents, sys.argv[1:]))
