"""Where each command of the documents belongs, and what is put in for what readers put in themselves.

The first rule that fits a command counts. A command that no rule fits fails the tests: whoever writes one into a page
says here where it is typed, or why it isn't.
"""

import re
from fnmatch import fnmatch
from pathlib import Path

from dev.release.typed import documents
from dev.release.typed.documents import Command
from dev.release.typed.places import Place, Rule
from dev.setup.paths import CHECKOUT

NAMESPACE = "e-commerce-saga"


def _nowhere(page: str, text: str, why: str) -> Rule:
    return Rule(page, text, Place.NOWHERE, why=why)


IN_NAMESPACE = ((" NS", f" {NAMESPACE}"), ("-n shop", f"-n {NAMESPACE}"), (" ORDER", " o-sample-mug"))
# Until a Deployment's new pods are all there.
ROLLED_OUT = f"kubectl rollout status deployment --timeout=300s -n {NAMESPACE}"
# The sample's order, of the goods that the deploy scripts' own order brings along.
SMOKE = (
    'python -c "from dev.release.deploy import contexts, rollout, shell; sh = shell.Shell(dry_run=False); '
    "rollout.Rollout(sh, contexts.find(sh, 'kubectl', None)).smoke()\""
)
SAMPLE = f"""\
kubectl delete ordersaga o-sample-mug -n {NAMESPACE} --ignore-not-found --timeout=120s && {SMOKE} &&
sed 's/p-mug/p-smoke/; s/c-17/c-smoke/; s/a-17/a-smoke/; s/: 1250/: 100/' manifests/samples/o-sample-mug.yaml |
kubectl apply -n {NAMESPACE} -f - &&
kubectl wait -n {NAMESPACE} --for=condition=Ready --timeout=120s osaga/o-sample-mug"""
GONE = f"""\
if kubectl get namespace {NAMESPACE} >/dev/null 2>&1; then
  for release in $(helm list -q -n {NAMESPACE}); do helm uninstall $release -n {NAMESPACE} --wait; done
  kubectl delete -f k8s-local-deployment.yaml --ignore-not-found --timeout=180s
  kubectl delete namespace {NAMESPACE} --ignore-not-found --timeout=180s
fi
kubectl delete -f crds/ --ignore-not-found --timeout=60s &&
kubectl config set-context --current --namespace={NAMESPACE}"""
CREATED = f"kubectl create namespace {NAMESPACE} --dry-run=client -o yaml | kubectl apply -f -"
INSTALLED = f"""\
helm status e-commerce-saga -n {NAMESPACE} >/dev/null 2>&1 ||
helm install e-commerce-saga ./helm -n {NAMESPACE} --create-namespace --wait --timeout 300s"""

A_KEY = (
    f"$(kubectl exec -n {NAMESPACE} deploy/order-service -- python -m services.order.keys list"
    " | grep -o 'k-[0-9a-z]*' | head -1)"
)
A_POD = (
    f"$(kubectl get pod -n {NAMESPACE} -l app.kubernetes.io/name=ordersaga-operator"
    " -o jsonpath='{.items[0].metadata.name}')"
)

EVENTS_SECRET = f"kubectl -n {NAMESPACE} create secret generic order-events --from-literal=secret=whsec_AAAA"
REUSED = f"helm upgrade e-commerce-saga ./helm -n {NAMESPACE} --reset-then-reuse-values"

# docker-compose's own of the two profiles: what watches the system has seen the orders of the demonstration.
WATCHED = """\
set -o pipefail
has() { for _ in $(seq 60); do curl -s "$2" | jq -e "$3" && return; sleep 2; done; echo "$1 has not: $3"; return 1; }
has Prometheus http://127.0.0.1:9090/api/v1/targets '
  [.data.activeTargets[] | select(.health == "up") | .labels.job] | unique | length == 6' &&
has Prometheus http://127.0.0.1:9090/api/v1/rules '[.data.groups[].rules[] | select(.health != "ok")] == []' &&
has Jaeger 'http://127.0.0.1:16686/api/traces?service=ordersaga-operator' '
  [.data[] | select(.processes | length == 6)] | length >= 1' &&
has Mailpit http://127.0.0.1:8025/api/v1/messages '
  [.messages[].Subject] | any(endswith("is confirmed")) and any(endswith("is cancelled"))'"""

# On the local stack a refund is given up after half a minute.
WAIT = "kubectl wait --timeout=120s --for=jsonpath='{.status.phase}'"

HAS_TESTS = "a run of tests or measurements with a target of its own"
A_RELEASE = "it needs a release in a registry"
OPENSHIFT = "it needs OpenShift"
OF_THE_READER = "it stands for what a reader has: there is nothing to type"
GITOPS = "the GitOps controllers have tests of their own"

RULES = (
    # --- The first sketch, and how to install
    Rule("*sketch.md", r"\./deploy-local-k8s\.sh", Place.CLUSTER, before=GONE, after=SAMPLE),
    Rule("*sketch.md", r"kubectl port-forward", Place.CLUSTER, stays=True),
    Rule("*sketch.md", r"kubectl (scale|rollout)", Place.CLUSTER, after=ROLLED_OUT),
    Rule("*sketch.md", r"kubectl (logs|autoscale|exec)", Place.CLUSTER),
    Rule("*sketch.md", r"kubectl apply", Place.CLUSTER, before=GONE, after=f"{ROLLED_OUT} && {SAMPLE}"),
    Rule(
        "*sketch.md",
        r"helm install e-commerce-saga \./helm$",
        Place.CLUSTER,
        before=f"{GONE} && {CREATED}",
        after=ROLLED_OUT,
    ),
    Rule("*sketch.md", r"helm install .* --set", Place.CLUSTER, before=f"{GONE} && {CREATED}", after=ROLLED_OUT),
    Rule("docs/install.md", r"\./deploy-local-k8s\.sh", Place.CLUSTER, before=GONE),
    Rule(
        "docs/install.md",
        r"helm install .* --create-namespace$",
        Place.CLUSTER,
        before=GONE,
        after=f"{ROLLED_OUT} && {SAMPLE}",
    ),
    Rule("docs/install.md", r"kubectl apply --server-side --force-conflicts -f crds/", Place.CLUSTER),
    Rule(
        "docs/install.md", r"kubectl apply --server-side", Place.CLUSTER, before=GONE, after=f"{ROLLED_OUT} && {SAMPLE}"
    ),
    Rule(
        "docs/install.md",
        r"kubectl apply -k manifests/overlays/…",
        Place.CLUSTER,
        instead=(("…", "dev"),),
        after=f"{ROLLED_OUT} && {SAMPLE}",
    ),
    Rule("docs/install.md", r"kubectl label namespace", Place.CLUSTER),
    Rule("docs/install.md", r"make images", Place.ENGINE),
    Rule(
        "docs/install.md",
        r"kind load",
        Place.CLUSTER,
        instead=(("…", " ".join(f"e-commerce-saga/{name}-service:latest" for name in ("order", "inventory"))),),
        after=GONE,
    ),
    Rule("docs/install.md", r"helm test", Place.CLUSTER),
    _nowhere(
        "docs/install.md",
        r"kubectl -n e-commerce-saga create secret generic (shop|payment)-database|TLS=|--set ",
        OF_THE_READER,
    ),
    _nowhere(
        "docs/install.md",
        r"helm install e-commerce-saga .* \\\n",
        "a registry and a database of the reader's: cluster-test has TLS",
    ),
    Rule(
        "docs/install.md",
        r"helm upgrade .* --reset-then-reuse-values",
        Place.CLUSTER,
        before=INSTALLED,
        after=ROLLED_OUT,
    ),
    Rule("docs/install.md", r"helm uninstall", Place.CLUSTER),
    Rule("docs/install.md", r"kubectl -n e-commerce-saga (annotate|get) ordersagas", Place.CLUSTER),
    # --- What is added to an installation
    Rule(
        "docs/events.md",
        r"helm upgrade",
        Place.CLUSTER,
        before=f"{INSTALLED} && {EVENTS_SECRET}",
        after=f"{ROLLED_OUT} && {REUSED} --set events.sink= && {ROLLED_OUT}",
    ),
    Rule("docs/events.md", r"echo", Place.CLUSTER),
    Rule(
        "docs/events.md",
        r"kubectl -n e-commerce-saga create secret",
        Place.CLUSTER,
        before=f"kubectl -n {NAMESPACE} delete secret order-events --ignore-not-found",
        after="rm secret",
    ),
    Rule("docs/tracing.md", r"helm upgrade", Place.CLUSTER, before=INSTALLED, after=f"{ROLLED_OUT} && {SAMPLE}"),
    Rule("docs/notifications.md", r"printf", Place.CLUSTER),
    Rule("docs/notifications.md", r"kubectl .* hook", Place.CLUSTER, before=INSTALLED, after="rm secret"),
    Rule(
        "docs/notifications.md",
        r"kubectl .* mail",
        Place.CLUSTER,
        before=f"{INSTALLED} && echo secret > password",
        after="rm password",
    ),
    Rule("docs/notifications.md", r"helm upgrade", Place.CLUSTER, before=INSTALLED, after=ROLLED_OUT),
    Rule(
        "docs/page.md",
        r"kubectl -n e-commerce-saga create rolebinding support --clusterrole=ordersaga-viewer",
        Place.CLUSTER,
        before=INSTALLED,
        after=f"kubectl -n {NAMESPACE} delete rolebinding support",
    ),
    Rule("docs/page.md", r"kubectl -n e-commerce-saga create", Place.CLUSTER, instead=(("…", "secret"),)),
    _nowhere(
        "docs/page.md",
        r"helm upgrade e-commerce-saga ./helm -n",
        "it needs an identity provider: make page-proxy-test has one",
    ),
    # --- What people type beside a cluster
    Rule("docs/audit.md", r"kubectl -n NS", Place.CLUSTER, instead=IN_NAMESPACE),
    Rule(
        "docs/security.md",
        r"kubectl exec .* revoke",
        Place.CLUSTER,
        instead=(
            *IN_NAMESPACE,
            ("k-1a2b3c4d", A_KEY),
        ),
    ),
    Rule("docs/security.md", r"kubectl (exec|create role|get pod)", Place.CLUSTER, instead=IN_NAMESPACE),
    Rule(
        "docs/security.md",
        r"kubectl create token .*operator",
        Place.CLUSTER,
        instead=(
            *IN_NAMESPACE,
            ("NAME-OF-THAT-POD", A_POD),
        ),
    ),
    Rule("docs/logs.md", r"kubectl logs", Place.CLUSTER, instead=IN_NAMESPACE),
    Rule("docs/upgrades.md", r"kubectl get ordersagas", Place.CLUSTER),
    _nowhere("docs/runbooks/CertificateNotRenewed.md", r"kubectl", "it needs cert-manager"),
    Rule("docs/runbooks/*", r"kubectl port-forward", Place.CLUSTER, instead=IN_NAMESPACE, stays=True),
    _nowhere("docs/runbooks/*", r"curl", "it needs the port-forward of the line before, in another terminal"),
    _nowhere(
        "docs/runbooks/*",
        r"kubectl saga (retry|skip|mark-compensated|cancel)",
        "it needs the trouble that the runbook is about: make alerts-test",
    ),
    Rule("docs/runbooks/*", r"kubectl logs .*--previous", Place.CLUSTER, instead=IN_NAMESPACE, statuses=(0, 1)),
    Rule("docs/runbooks/*", r"kubectl logs .* \| grep", Place.CLUSTER, instead=IN_NAMESPACE, statuses=(0, 1)),
    Rule("docs/runbooks/*", r"kubectl", Place.CLUSTER, instead=IN_NAMESPACE),
    # --- With a container engine
    Rule("docs/containers.md", r"docker-compose logs -f", Place.ENGINE, stays=True),
    Rule("docs/containers.md", r"docker-compose exec order-service", Place.ENGINE, terminal=True),
    Rule("docs/containers.md", r"docker-compose run --rm demo +# two orders", Place.ENGINE, after=WATCHED),
    Rule(
        "docs/containers.md",
        r"docker-compose (logs page|run --rm (demo|-T kubeconfig))|TOKEN=",
        Place.ENGINE,
        before="docker-compose up -d",
    ),
    Rule(
        "docs/containers.md",
        r"docker-compose --env-file|docker-compose|docker build|make images|KEY=|curl|mkdir|export|kubectl",
        Place.ENGINE,
    ),
    Rule(
        "docs/containers.md",
        r"open http",
        Place.ENGINE,
        instead=(("open ", "curl -sSL --retry 30 --retry-delay 2 --retry-all-errors -o /dev/null "),),
    ),
    Rule("*sketch.md", r"docker-compose logs -f", Place.ENGINE, stays=True),
    Rule("*sketch.md", r"docker", Place.ENGINE),
    Rule("docs/install.md", r"docker-compose up -d", Place.ENGINE, after="docker-compose down -v"),
    _nowhere("docs/notifications.md", r"docker run", "docker-compose brings Mailpit along"),
    # --- On the local stack
    Rule("README.md", r"kubectl saga ui", Place.MACHINE, stays=True),
    Rule("README.md", r"export|alias|kubectl|KEY=|curl|kill", Place.MACHINE),
    Rule("*sketch.md", r"python scripts/check_health", Place.MACHINE),
    Rule("docs/local-stack.md", r"curl .*repair", Place.MACHINE, before=f"{WAIT}=Failed osaga/o-stuck"),
    Rule("docs/local-stack.md", r"kubectl saga retry", Place.MACHINE, after=f"{WAIT}=Compensated osaga/o-stuck"),
    Rule("docs/local-stack.md", r"TOKEN=|curl|kubectl", Place.MACHINE),
    Rule("docs/security.md", r"TOKEN=|curl -s http", Place.MACHINE),
    _nowhere(
        "*", r"\./run-local\.sh", "the local stack is how the commands of the machine are typed, and its tests start it"
    ),
    _nowhere(
        "*sketch.md", r"\./scripts/cleanup_ports", "it would end the stack of whoever runs this; tests/dev has a test"
    ),
    _nowhere(
        "*", r"pytest|make (test|hooks|help|mess|chaos|bench)|\.ordersaga/venv/bin/python -m dev\.chaos", HAS_TESTS
    ),
    _nowhere("*", r"pip install|cd services/order", "the services' own tests start them in this way"),
    # --- What needs more than there is here
    _nowhere("SECURITY.md", r"", A_RELEASE),
    _nowhere("docs/releasing.md", r"", A_RELEASE),
    _nowhere("docs/gitops.md", r"", GITOPS),
    _nowhere("docs/openshift.md", r"", OPENSHIFT),
    _nowhere("*", r"oc |\./(deploy|push-to)-openshift\.sh|host=", OPENSHIFT),
    _nowhere("docs/page.md", r"helm upgrade e-commerce-saga ./helm -f", OPENSHIFT),
    _nowhere("docs/install.md", r"kubectl apply|helm install --wait", OF_THE_READER),
    # --- What deploys nothing
    _nowhere("CHANGELOG.md", r"", "it says what has changed"),
    _nowhere("docs/kubectl-saga.md", r"", "tests/cli try the plugin's commands"),
    _nowhere("docs/tracing.md", r"OTEL|kubectl saga", "tests/cli and tests of traces"),
    _nowhere("docs/upgrades.md", r"helm upgrade", "a test of the chart upgrades the one of before"),
    _nowhere("docs/logs.md", r"", "tests/cli try kubectl saga logs; the rest reads files"),
    _nowhere("docs/ordersaga.md", r"", "the tests of the resource patch, cancel and repair"),
    _nowhere("docs/participants.md", r"", "tests of the kit and of participants"),
    _nowhere("docs/notifications.md", r"ORDERSAGA_|webhook-|\{| *\"", "settings, and what is sent: not commands"),
    _nowhere("docs/events.md", r"SECRETS=|ORDERSAGA_", "the test of the receiver in that page starts it"),
    _nowhere("docs/audit.md", r"", OF_THE_READER),
    _nowhere("docs/security.md", r"", OF_THE_READER),
    _nowhere("docs/local-stack.md", r"export", OF_THE_READER),
)

# The pages whose commands build on one another, and on nothing; the rest follows.
FIRST = ("dev/release/typed/sketch.md", "docs/install.md", "docs/events.md", "docs/tracing.md", "docs/notifications.md")


def rule_of(command: Command) -> Rule | None:
    """The rule that counts for a command; None where nobody has said where it belongs."""
    return next(
        (rule for rule in RULES if fnmatch(command.page, rule.page) and re.match(rule.text, command.text)), None
    )


def of(page: Path, place: Place) -> list[tuple[Command, Rule]]:
    """The commands of a page that belong to a place."""
    ruled = [(command, rule_of(command)) for command in documents.commands(page)]
    return [(command, rule) for command, rule in ruled if rule and rule.place == place]


def pages(place: Place) -> list[str]:
    """The pages with commands of a place, in the order in which they are typed."""
    found = [str(page.relative_to(CHECKOUT)) for page in sorted(documents.PAGES) if of(page, place)]
    return sorted(found, key=lambda page: FIRST.index(page) if page in FIRST else len(FIRST))
