"""The resource definition, the Roles and the identities, brought to an API server without kubectl."""

from pathlib import Path
from urllib.parse import quote

import yaml

from common.identity.callers import audience_of
from common.kube import KubeClient, KubeError
from common.wire import Json
from dev.compose.state import (
    ADMINISTRATOR,
    CALLS,
    CONTROL_PLANE,
    DEVELOPER,
    IDENTITIES,
    NAMESPACE,
    PATIENCE_SECONDS,
    SERVER,
    TOKENS,
)
from dev.stack.parts.admin import accounts, definitions, roles
from dev.stack.parts.certificates import write_private
from dev.stack.parts.kubeconfig import write_kubeconfig
from dev.stack.waiting import wait_until_async

# Each `up` writes new ones; until then a machine may sleep, or run for months.
TOKEN_SECONDS = 365 * 24 * 3600


async def prepare_cluster() -> None:
    """Wait for the API server, then apply what we ship and write a kubeconfig with a token for each identity.

    Raises StackError when the API server isn't there in time, KubeError when it refuses something.
    """
    client = KubeClient.from_config(ADMINISTRATOR, user_agent="ordersaga-setup")
    async with client:
        # The API server makes this namespace itself once it has started: when it is there, writes succeed.
        await _present(client, "/api/v1/namespaces/kube-system")
        cluster = Cluster(client)
        for document in yaml.safe_load_all(definitions()):
            await cluster.apply(document)
        await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        shipped = yaml.safe_load_all(f"{accounts(NAMESPACE)}\n---\n{roles(NAMESPACE)}")
        for document in (*shipped, *developer(NAMESPACE)):
            await cluster.apply(document, namespace=NAMESPACE)
        await _present(client, f"/apis/ordersaga.io/v1alpha1/namespaces/{quote(NAMESPACE)}/ordersagas")
        for account, folder in IDENTITIES.items():
            await cluster.identity(account, folder)
        for folder, (account, services) in CALLS.items():
            for service in services:
                token = await cluster.token(account, audiences=[audience_of(service)])
                write_private(folder / TOKENS / service, token)


class Cluster:
    """An API server, and the kinds that it serves."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._kinds: dict[str, dict[str, Json]] = {}

    async def apply(self, document: Json, *, namespace: str | None = None) -> None:
        """`kubectl apply --server-side --force-conflicts`; `namespace` is for kinds that have one."""
        api, kind, name = document["apiVersion"], document["kind"], document["metadata"]["name"]
        base = f"/api/{api}" if "/" not in api else f"/apis/{api}"
        if api not in self._kinds:
            found = await self._client.get(base)
            self._kinds[api] = {each["kind"]: each for each in found["resources"] if "/" not in each["name"]}
        resource = self._kinds[api][kind]
        where = f"/namespaces/{quote(namespace or 'default')}" if resource["namespaced"] else ""
        await self._client.request(
            "PATCH",
            f"{base}{where}/{resource['name']}/{quote(name, safe=':')}",
            body=document,
            params={"fieldManager": "ordersaga-setup", "force": "true"},
            content_type="application/apply-patch+yaml",  # JSON is YAML
        )

    async def identity(self, account: str, folder: Path) -> None:
        """Write `kubeconfig` and `token` of a ServiceAccount; clients read them again every minute."""
        write_private(folder / "token", await self.token(account))
        write_kubeconfig(
            folder / "kubeconfig",
            url=SERVER,
            authority=CONTROL_PLANE / "authority.crt",
            user={"tokenFile": "token"},  # beside the kubeconfig, wherever the folder is mounted
            namespace=NAMESPACE,
        )

    async def token(self, account: str, **more: list[str]) -> bytes:
        """A token of a ServiceAccount, for the API server where no `audiences` are named."""
        path = f"/api/v1/namespaces/{quote(NAMESPACE)}/serviceaccounts/{account}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_SECONDS, **more},
        }
        answer = await self._client.post(path, request)
        return str(answer["status"]["token"]).encode()


def developer(namespace: str) -> list[Json]:
    """As whom the page looks: somebody who sees the orders of this namespace and steers them, and nothing else."""
    rbac, subject = "rbac.authorization.k8s.io", {"kind": "ServiceAccount", "name": DEVELOPER, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": DEVELOPER}},
        *(
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": f"{DEVELOPER}-{role}"},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
                "subjects": [subject],
            }
            for role in ("ordersaga-viewer", "ordersaga-editor")
        ),
    ]


async def _present(client: KubeClient, path: str) -> None:
    """Wait until a GET of `path` succeeds. Raises StackError when it doesn't in time."""
    answer = "nothing"

    async def present() -> bool:
        nonlocal answer
        try:
            await client.get(path)
        except KubeError as error:
            answer = str(error)
            return False
        return True

    what = f"the API server has {path}"
    await wait_until_async(lambda: f"{what}; it answers: {answer}", present, PATIENCE_SECONDS, pause_seconds=0.2)
