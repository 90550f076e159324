"""Kinds of other projects that our manifests use, strict: a field that isn't listed here is refused.

In our own words and only as far as we use them, after the projects' definitions: Argo CD 3, Flux 2.6, the OpenShift
console of 4.19. (Argo CD's Application was also tried against its real definition.)
"""

from common.wire import Json

TEXT: Json = {"type": "string", "minLength": 1}
HTTPS: Json = {"type": "string", "pattern": "^https://"}
FLAG: Json = {"type": "boolean"}
NUMBER: Json = {"type": "integer"}
DURATION: Json = {"type": "string", "pattern": "^([0-9]+(s|m|h))+$"}
ANYTHING: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def some(item: Json) -> Json:
    return {"type": "array", "items": item, "minItems": 1}


def one_of(*values: str) -> Json:
    return {"type": "string", "enum": list(values)}


def obj(*required: str, **fields: Json) -> Json:
    return {"type": "object", "properties": fields, "required": list(required)}


def crd(kind: str, group: str, version: str, spec: Json, *, scope: str = "Namespaced") -> Json:
    plural = f"{kind.lower()}s" if not kind.endswith("y") else f"{kind.lower()[:-1]}ies"
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": spec}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "plural": plural},
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


APPLICATION = obj(
    "project",
    "destination",
    project=TEXT,
    source=obj(
        "repoURL",
        repoURL=TEXT,
        targetRevision=TEXT,
        path=TEXT,
        helm=obj(releaseName=TEXT, valuesObject=ANYTHING),
    ),
    destination=obj(server=TEXT, namespace=TEXT),
    ignoreDifferences=some(obj("kind", group=TEXT, kind=TEXT, jsonPointers=some(TEXT))),
    syncPolicy=obj(
        automated=obj(prune=FLAG, selfHeal=FLAG),
        syncOptions=some(TEXT),
        retry=obj(limit=NUMBER, refresh=FLAG, backoff=obj(duration=DURATION, factor=NUMBER, maxDuration=DURATION)),
    ),
)
ARGOCD = obj(
    resourceHealthChecks=some(obj("kind", "check", group=TEXT, kind=TEXT, check=TEXT)),
    resourceActions=some(obj("kind", "action", group=TEXT, kind=TEXT, action=TEXT)),
)
SOURCE_REF = obj("kind", "name", kind=one_of("GitRepository"), name=TEXT, namespace=TEXT)
KUSTOMIZATION = obj(
    "interval",
    "prune",
    "sourceRef",
    interval=DURATION,
    retryInterval=DURATION,
    timeout=DURATION,
    sourceRef=SOURCE_REF,
    path=TEXT,
    prune=FLAG,
    wait=FLAG,
    force=FLAG,
    deletionPolicy=one_of("MirrorPrune", "Delete", "WaitForTermination", "Orphan"),
    dependsOn=some(obj("name", name=TEXT)),
    healthChecks=some(obj("kind", "name", apiVersion=TEXT, kind=TEXT, name=TEXT, namespace=TEXT)),
    healthCheckExprs=some(
        obj("apiVersion", "kind", "current", apiVersion=TEXT, kind=TEXT, inProgress=TEXT, failed=TEXT, current=TEXT)
    ),
)
HELM_RELEASE = obj(
    "interval",
    interval=DURATION,
    timeout=DURATION,
    releaseName=TEXT,
    chart=obj(
        "spec",
        spec=obj(
            "chart", "sourceRef", chart=TEXT, reconcileStrategy=one_of("ChartVersion", "Revision"), sourceRef=SOURCE_REF
        ),
    ),
    install=obj(strategy=obj("name", name=one_of("RemediateOnFailure", "RetryOnFailure"), retryInterval=TEXT)),
    upgrade=obj(remediation=obj(retries=NUMBER)),
    driftDetection=obj(mode=one_of("enabled", "warn", "disabled")),
    values=ANYTHING,
)
QUICK_START = obj(
    *("displayName", "durationMinutes", "description", "introduction", "tasks"),
    displayName=TEXT,
    icon=TEXT,
    durationMinutes={"type": "integer", "minimum": 1},
    description={"type": "string", "minLength": 1, "maxLength": 256},
    tags=some(TEXT),
    prerequisites=some(TEXT),
    introduction=TEXT,
    accessReviewResources=some(obj(group=TEXT, resource=TEXT, verb=TEXT)),
    tasks=some(
        obj(
            *("title", "description"),
            title=TEXT,
            description=TEXT,
            review=obj("instructions", "failedTaskHelp", instructions=TEXT, failedTaskHelp=TEXT),
            summary=obj("success", "failed", success=TEXT, failed={"type": "string", "minLength": 1, "maxLength": 128}),
        )
    ),
    conclusion=TEXT,
)
LINK = obj(
    *("text", "href", "location"),
    text=TEXT,
    href=HTTPS,
    location=one_of("ApplicationMenu", "HelpMenu", "UserMenu", "NamespaceDashboard"),
    applicationMenu=obj("section", section=TEXT, imageURL=TEXT),
    namespaceDashboard=obj(namespaces=some(TEXT)),
)
SAMPLE = obj(
    *("targetResource", "title", "description", "yaml"),
    targetResource=obj(apiVersion=TEXT, kind=TEXT),
    title=TEXT,
    description=TEXT,
    snippet=FLAG,
    yaml=TEXT,
)
CONSOLE = "console.openshift.io"
ALL = [
    crd("Application", "argoproj.io", "v1alpha1", APPLICATION),
    crd("ArgoCD", "argoproj.io", "v1beta1", ARGOCD),
    crd("Kustomization", "kustomize.toolkit.fluxcd.io", "v1", KUSTOMIZATION),
    crd("HelmRelease", "helm.toolkit.fluxcd.io", "v2", HELM_RELEASE),
    crd(
        "GitRepository",
        "source.toolkit.fluxcd.io",
        "v1",
        obj("interval", "url", interval=DURATION, url=HTTPS, ref=obj(branch=TEXT)),
    ),
    crd("ConsoleYAMLSample", CONSOLE, "v1", SAMPLE, scope="Cluster"),
    crd("ConsoleLink", CONSOLE, "v1", LINK, scope="Cluster"),
    crd("ConsoleQuickStart", CONSOLE, "v1", QUICK_START, scope="Cluster"),
]
