"""The folders that the containers share: each a volume, so that no container sees another one's key."""

import os
from pathlib import Path

from common.services import NEIGHBOURS, SERVICES

STATE = Path(os.environ.get("ORDERSAGA_COMPOSE_STATE", "/state"))

AUTHORITY = STATE / "authority"
"""The authority's own key and the administrator's kubeconfig: for the setup only."""
CONTROL_PLANE = STATE / "control-plane"
"""What kube-apiserver and kube-controller-manager read."""
OPERATOR, STAFF, AUDIT = "ordersaga-operator", "ordersaga-staff", "ordersaga-audit"
DEVELOPER = "developer"
IDENTITIES = {
    OPERATOR: STATE / "operator",
    DEVELOPER: STATE / "page",
    **{f"{name}-service": STATE / f"{name}-service" for name in SERVICES},
}
"""By ServiceAccount: the folder with its kubeconfig and its token for the API server."""
TOKENS = "tokens"
"""A folder in each of these, with a token for each service that the account calls."""
CALLS = {
    STATE / "operator": (OPERATOR, tuple(SERVICES)),
    STATE / "staff": (STAFF, tuple(SERVICES)),
    STATE / "audit": (AUDIT, tuple(SERVICES)),
    **{STATE / f"{name}-service": (f"{name}-service", called) for name, called in NEIGHBOURS.items()},
}
"""By folder: the account, and the services that it calls."""

ADMINISTRATOR = AUTHORITY / "kubeconfig"
SERVER = "https://kube-apiserver:6443"
"""The API server as the containers see it."""
NAMESPACE = os.environ.get("ORDERSAGA_NAMESPACE", "shop")

PATIENCE_SECONDS = 120.0
"""How long a part may take to answer: a busy laptop that starts all of them at the same time needs a minute."""
