"""Argo CD as processes: its controller, its repo server with Redis, its API, and its command."""

import json
import shutil
import subprocess
from pathlib import Path

from common.wire import Json
from dev.release import helm
from dev.release.judges import controllers
from dev.setup.binaries import find
from dev.setup.errors import StackError
from dev.stack.parts.admin import Administrator
from dev.stack.ports import free_ports
from dev.stack.processes import Process, answers, is_listening, wait_ready
from dev.stack.waiting import wait_until

NAMESPACE = "argocd"
# Seconds. A wave takes Argo CD two at least, and a synchronisation that failed is tried again after ten. What it has
# missed of a resource it finds when it looks at it again, after two minutes and up to a third one.
PATIENCE = 240.0
# What an installation has, empty as it comes.
OBJECTS = (
    ("ConfigMap", "argocd-cm"),
    ("ConfigMap", "argocd-rbac-cm"),
    ("ConfigMap", "argocd-cmd-params-cm"),
    ("ConfigMap", "argocd-tls-certs-cm"),
    ("ConfigMap", "argocd-ssh-known-hosts-cm"),
    ("ConfigMap", "argocd-gpg-keys-cm"),
    ("Secret", "argocd-secret"),
)
# What Argo CD's own image has beside its programs. kustomize: this machine's is inside kubectl.
KUSTOMIZE = """\
#!/bin/sh
case $1 in
  build) shift; exec {kubectl} kustomize "$@";;
  version) echo v5.8.1;;
  *) echo "kustomize $1 isn't to be had here" >&2; exit 1;;
esac
"""
# What says whether a commit is signed: none is.
SIGNED = "#!/bin/sh\n"


class ArgoCD:
    """The programs, and what a person does with `kubectl` and `argocd`."""

    def __init__(self, programs: Path, administrator: Administrator, folder: Path) -> None:
        self._administrator, self._programs, self._folder = administrator, programs, folder
        redis, repo, metrics, controller, self._server, server = free_ports(6)
        tools = folder / "tools"
        home = folder / ".kube" / "config"
        for each in (tools, home.parent, folder / "tls", folder / "ssh"):
            each.mkdir(parents=True)
        shutil.copyfile(administrator.kubeconfig, home)
        (tools / "helm").symlink_to(helm.find())
        kustomize = KUSTOMIZE.format(kubectl=find("kubectl"))
        for name, script in (("kustomize", kustomize), ("git-verify-wrapper.sh", SIGNED)):
            (tools / name).write_text(script)
            (tools / name).chmod(0o755)
        self._env = {
            "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "KUBECONFIG": str(home),
            # https://kubernetes.default.svc is then the cluster of the kubeconfig.
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_TLS_DATA_PATH": str(folder / "tls"),
            "ARGOCD_SSH_DATA_PATH": str(folder / "ssh"),
            "ARGOCD_GPG_ENABLED": "false",
        }
        stores = (f"--redis=127.0.0.1:{redis}", f"--repo-server=127.0.0.1:{repo}", f"--namespace={NAMESPACE}")
        found = shutil.which("redis-server")
        if found is None:
            raise StackError("redis-server is missing, which Argo CD keeps its cache in: install it (Debian's will do)")
        self._redis = Process(
            "redis",
            [found, "--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            log=folder / "redis.log",
            ready=lambda: is_listening(redis),
            cwd=folder,
        )
        self.processes = [
            self._process(
                "argocd-repo-server",
                *(f"--redis=127.0.0.1:{redis}", "--address=127.0.0.1", f"--port={repo}"),
                *("--metrics-address=127.0.0.1", f"--metrics-port={metrics}"),
                health=f"http://127.0.0.1:{metrics}/healthz",
            ),
            self._process(
                "argocd-server",
                *(*stores, "--address=127.0.0.1", f"--port={self._server}", "--insecure", "--disable-auth"),
                *("--metrics-address=127.0.0.1", f"--metrics-port={server}"),
                health=f"http://127.0.0.1:{self._server}/healthz",
            ),
            self._process(
                "argocd-application-controller",
                # What it says of each resource stands in the Application then.
                *(*stores, f"--metrics-port={controller}", "--persist-resource-health"),
                health=f"http://127.0.0.1:{controller}/healthz",
            ),
        ]

    def _process(self, name: str, *words: str, health: str) -> Process:
        command = [self._programs / name, *words]
        return Process(name, command, log=self._folder / f"{name}.log", ready=lambda: answers(health), env=self._env)

    def start(self, patch: Path) -> None:
        """Their kinds, their namespace with our settings, and they. `patch`: of the ConfigMap argocd-cm."""
        kubectl = self._administrator.kubectl
        kubectl("apply", "--server-side", "-f", self._programs / controllers.DEFINITIONS)
        kubectl("create", "namespace", NAMESPACE)
        objects = [
            {
                "apiVersion": "v1",
                "kind": kind,
                "metadata": {
                    "name": name,
                    "namespace": NAMESPACE,
                    "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "argocd"},
                },
            }
            for kind, name in OBJECTS
        ]
        kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        kubectl("patch", "configmap", "argocd-cm", "--namespace", NAMESPACE, "--patch-file", patch)
        self._redis.start()
        wait_ready([self._redis])
        for process in self.processes:
            process.start()
        wait_ready(self.processes)

    def stop(self) -> None:
        for process in (*reversed(self.processes), self._redis):
            process.stop()

    def get(self, application: str) -> Json:
        """The Application as the API server has it; empty if there is none."""
        words = ("get", "application.argoproj.io", application, "--namespace", NAMESPACE, "-o", "json")
        answer = self._administrator.kubectl(*words, "--ignore-not-found")
        found: Json = json.loads(answer.stdout or "{}")
        return found

    def refresh(self, application: str) -> None:
        """Look at Git now, rather than in three minutes."""
        words = ("annotate", "application.argoproj.io", application, "--namespace", NAMESPACE, "--overwrite")
        self._administrator.kubectl(*words, "argocd.argoproj.io/refresh=normal")

    def argocd(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The command, against the API; raises StackError with what it says if `check` and it fails."""
        done = subprocess.run(
            [self._programs / "argocd", *words, f"--server=127.0.0.1:{self._server}", "--plaintext", "--auth-token=x"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**self._env, "ARGOCD_BINARY_NAME": "argocd"},
        )
        if check and done.returncode:
            raise StackError(f"argocd {' '.join(words)} failed: {done.stderr or done.stdout}")
        return done

    def press(self, action: str, order_id: str, application: str) -> None:
        """One of the buttons of an OrderSaga."""
        self.argocd("app", "actions", "run", application, action, "--kind=OrderSaga", f"--resource-name={order_id}")

    def until(self, application: str, *, commit: str = "", sync: str = "Synced", health: str = "Healthy") -> Json:
        """Wait until Argo CD says this of the Application, at this commit if one is named; the Application."""
        last: Json = {}

        def said() -> bool:
            nonlocal last
            last = self.get(application).get("status") or {}
            state = last.get("sync") or {}
            return (
                state.get("status") == sync
                and (last.get("health") or {}).get("status") == health
                and (not commit or state.get("revision") == commit)
            )

        def what() -> str:
            return f"{application} is {sync} and {health}: {short(last)}"

        wait_until(f"there is an Application {application}", lambda: self.get(application), PATIENCE)
        self.refresh(application)
        wait_until(what, said, PATIENCE)
        return self.get(application)


def short(status: Json) -> Json:
    """What people look at first."""
    operation = status.get("operationState") or {}
    return {
        "sync": status.get("sync", {}).get("status"),
        "revision": status.get("sync", {}).get("revision"),
        "health": status.get("health"),
        "operation": (operation.get("phase"), operation.get("message")),
        "conditions": status.get("conditions"),
    }
