"""What an administrator does to an API server: install our definition and Roles, make identities, run kubectl."""

import copy
import functools
import json
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from common.identity.callers import audience_of
from common.services import SERVICES
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT
from dev.stack.parts.certificates import write_private
from dev.stack.waiting import wait_until

# A token outlives a working day by far; the local stack writes new ones each day and at each start.
TOKEN_SECONDS = 7 * 24 * 3600
APPLY = ("apply", "--server-side", "--force-conflicts", "-f", "-")


class Administrator:
    """Runs kubectl with the rights of a cluster administrator."""

    def __init__(self, kubectl: Path, kubeconfig: Path) -> None:
        self._kubectl = kubectl
        self.kubeconfig = kubeconfig

    def kubectl(
        self,
        *args: str | Path,
        input: str | None = None,  # noqa: A002 - the name it has in subprocess.run
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl. Raises StackError with kubectl's own message if `check` and it fails."""
        words = [str(arg) for arg in args]
        result = subprocess.run(
            [str(self._kubectl), "--kubeconfig", str(self.kubeconfig), *words],
            input=input,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and result.returncode:
            raise StackError(f"kubectl {' '.join(words)} failed: {result.stderr.strip() or result.stdout.strip()}")
        return result

    @functools.cached_property
    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.kubectl("config", "view", "--raw", "--minify", "-o", "json").stdout)
        return config

    def install(self, namespace: str, *, defined: bool = True) -> None:
        """Apply the resource definitions, and in this namespace the ServiceAccounts, Roles and bindings that we ship.

        `defined`: False leaves the definitions out; `define` applies them later.
        """
        # In one call, because kubectl reads the whole discovery of the API server each time that it starts.
        first = (definitions(),) if defined else ()
        documents = "\n---\n".join((*first, _namespace(namespace), accounts(namespace), roles(namespace)))
        self.kubectl(*APPLY, "--namespace", namespace, input=documents)
        if defined:
            self._wait_until_defined()

    def define(self) -> None:
        """Apply the resource definitions."""
        self.kubectl(*APPLY, input=definitions())
        self._wait_until_defined()

    def _wait_until_defined(self) -> None:
        names = [f"crd/{kind}.ordersaga.io" for kind in ("ordersagas", "participants")]
        self.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)

    def wait_for_schema(self, seconds: float = 30) -> None:
        """Wait until `kubectl explain` knows our resource: the schema is published a little after the definition."""
        path = "/openapi/v3/apis/ordersaga.io/v1alpha1"
        wait_until(
            "the API server publishes the schema of OrderSaga",
            lambda: self.kubectl("get", "--raw", path, check=False).returncode == 0,
            seconds,
        )

    def identity(self, account: str, namespace: str, folder: Path) -> Path:
        """A kubeconfig of this ServiceAccount in `folder`, its token (for a week) in a file beside it, mode 0600.

        Call it again for a new token: clients that read the file again go on without a restart.
        """
        token_file = folder / f"{account}.token"
        with self._tokens(account, namespace) as made:
            write_private(token_file, made(None))
        config = copy.deepcopy(self._config)
        config["users"][0]["user"] = {"tokenFile": str(token_file)}
        config["contexts"][0]["context"]["namespace"] = namespace
        path = folder / f"{account}.kubeconfig"
        write_private(path, json.dumps(config, indent=2).encode())
        return path

    def tokens(self, account: str, namespace: str, folder: Path, services: Iterable[str] = SERVICES) -> Path:
        """A folder in `folder` with this ServiceAccount's tokens for these services, each in a file of its name."""
        tokens = folder / f"{account}.tokens"
        tokens.mkdir(mode=0o700, parents=True, exist_ok=True)

        with self._tokens(account, namespace) as made:
            for service in services:
                write_private(tokens / service, made(audience_of(service)))
        return tokens

    @contextmanager
    def _tokens(self, account: str, namespace: str) -> Iterator[Callable[[str | None], bytes]]:
        """Makes this ServiceAccount's tokens, each for one audience: None is the API server's own."""
        from common.kube.config import load_access  # noqa: PLC0415 - half of what this module takes to import

        # Not with kubectl: a stack has two dozen tokens, and each would be a process of its own.
        access = load_access(self.kubeconfig)
        headers = {"Authorization": access.authorization} if access.authorization else {}
        extensions = {"sni_hostname": access.tls_server_name} if access.tls_server_name else {}
        url = f"{access.server}/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        with httpx.Client(
            verify=access.tls or False, proxy=access.proxy, trust_env=False, headers=headers, timeout=30
        ) as client:

            def made(audience: str | None) -> bytes:
                spec = {"expirationSeconds": TOKEN_SECONDS} | ({"audiences": [audience]} if audience else {})
                body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
                try:
                    answer = client.post(url, json=body, extensions=extensions)
                except httpx.TransportError as error:
                    raise StackError(f"no token for {account} in {namespace}: {error}") from error
                if answer.is_error:
                    raise StackError(f"no token for {account} in {namespace}: {answer.text}")
                token: str = answer.json()["status"]["token"]
                return token.encode()

            yield made


def _namespace(name: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def accounts(namespace: str) -> str:
    """What the chart makes with each service: its ServiceAccount, and the right to ask about callers' tokens."""
    names = [f"{service}-service" for service in SERVICES]
    accounts = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}} for name in names]
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"ordersaga-{namespace}-token-reviews"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace} for name in names],
    }
    return "\n---\n".join(json.dumps(each) for each in (*accounts, binding))


def definitions() -> str:
    """The resource definitions that we ship: YAML documents."""
    return _documents(CHECKOUT / "crds")


def roles(namespace: str) -> str:
    """The ServiceAccounts, Roles and bindings that we ship, for this namespace: YAML documents."""
    # The bindings' subjects are the one place where the manifests have to name the namespace.
    return _documents(CHECKOUT / "manifests" / "rbac").replace("namespace: shop\n", f"namespace: {namespace}\n")


def _documents(folder: Path) -> str:
    return "\n---\n".join(file.read_text() for file in sorted(folder.glob("*.yaml")))
