"""Argo CD's settings for OrderSaga, made from the Lua in manifests/gitops/argocd/resource_customizations.

    python -m dev.release.argocd            write them (part of `make manifests`)
    python -m dev.release.argocd --check    exit status 1 if one isn't what it would be

The folder there has the layout of Argo CD's own repository; an installation wants the same scripts in its ConfigMap, or
in the ArgoCD resource where an operator owns that ConfigMap (OpenShift GitOps).
"""

import sys
from pathlib import Path
from typing import Any

from dev.release.generated import main, yaml_text
from dev.setup.paths import CHECKOUT

FOLDER = CHECKOUT / "manifests" / "gitops" / "argocd"
SCRIPTS = FOLDER / "resource_customizations" / "ordersaga.io" / "OrderSaga"
ACTIONS = ("retry", "suspend", "resume", "cancel")
HEADER = "# Made from the Lua in resource_customizations/ by `make manifests`: change that, not this.\n"
# Argo CD no longer judges Applications by itself (from 1.8 on), and the waves of an app of apps need it to. The check
# that its manual has passes on what the Application says, too early or too late: see its comments.
APPLICATION_HEALTH = """\
local status = obj.status or {}
local health = status.health or {}
local synced = (status.sync or {}).status == "Synced"
local automated = ((obj.spec or {}).syncPolicy or {}).automated
-- What can't be rendered or was refused stays so until Git says something else: whoever waits for it is told.
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "ComparisonError" or condition.type == "InvalidSpecError" or condition.type == "SyncError" then
    return { status = "Degraded", message = condition.message }
  end
end
-- What is missing doesn't count in Argo CD 3: an Application is Healthy once the first of its objects is. One that is
-- synchronised by itself has all of them only when it is in sync.
if health.status == "Healthy" and automated ~= nil and automated.enabled ~= false and not synced then
  return { status = "Progressing", message = "Not all of it is there" }
end
-- Argo CD isn't told when a definition has come to be served, since it doesn't track them: it would find out when it
-- looks again, minutes later. The synchronisation has waited for that already.
local definitions = #(status.resources or {}) > 0
for _, resource in ipairs(status.resources or {}) do
  definitions = definitions and resource.kind == "CustomResourceDefinition"
end
if health.status == "Progressing" and definitions and synced
    and (status.operationState or {}).phase == "Succeeded" then
  return { status = "Healthy", message = "" }
end
return { status = health.status or "Progressing", message = health.message or "" }
"""

CONFIG_MAP_ABOUT = """\
# How Argo CD is to judge OrderSagas, and which buttons it offers on them:
#   kubectl patch configmap argocd-cm --namespace argocd --patch-file manifests/gitops/argocd/argocd-cm.yaml
# The actions are commands: who may press them is a matter of Argo CD's RBAC (docs/gitops.md).
"""
OPENSHIFT_ABOUT = """\
# The same for OpenShift GitOps, whose operator owns the ConfigMap. Lists are replaced by a merge patch: if yours have
# entries, add these by hand.
#   oc patch argocd openshift-gitops --namespace openshift-gitops --type=merge \\
#       --patch-file manifests/gitops/argocd/argocd-openshift.yaml
"""


def generated() -> dict[Path, str]:
    """Each file and its content."""
    health = (SCRIPTS / "health.lua").read_text()
    actions = yaml_text(_actions())
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "argocd-cm",
            "namespace": "argocd",
            "labels": {"app.kubernetes.io/name": "argocd-cm", "app.kubernetes.io/part-of": "argocd"},
        },
        "data": {
            "resource.customizations.health.ordersaga.io_OrderSaga": health,
            "resource.customizations.actions.ordersaga.io_OrderSaga": actions,
            "resource.customizations.health.argoproj.io_Application": APPLICATION_HEALTH,
        },
    }
    openshift = {
        "apiVersion": "argoproj.io/v1beta1",
        "kind": "ArgoCD",
        "metadata": {"name": "openshift-gitops", "namespace": "openshift-gitops"},
        "spec": {
            "resourceHealthChecks": [
                {"group": "ordersaga.io", "kind": "OrderSaga", "check": health},
                {"group": "argoproj.io", "kind": "Application", "check": APPLICATION_HEALTH},
            ],
            "resourceActions": [{"group": "ordersaga.io", "kind": "OrderSaga", "action": actions}],
        },
    }
    return {
        FOLDER / "argocd-cm.yaml": HEADER + CONFIG_MAP_ABOUT + yaml_text(config_map),
        FOLDER / "argocd-openshift.yaml": HEADER + OPENSHIFT_ABOUT + yaml_text(openshift),
    }


def _actions() -> dict[str, Any]:
    folder = SCRIPTS / "actions"
    return {
        "discovery.lua": (folder / "discovery.lua").read_text(),
        "definitions": [
            {"name": action, "action.lua": (folder / action / "action.lua").read_text()} for action in ACTIONS
        ],
    }


if __name__ == "__main__":
    sys.exit(main("python -m dev.release.argocd", generated, sys.argv[1:]))
