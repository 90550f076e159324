"""Which API server is asked, as whom and in which namespace: read from a kubeconfig as kubectl reads it.

The plain forms (certificates and tokens, in the file or beside it) are read here, since the `kubernetes` library takes
half a second to be imported, and a command is typed. Whatever else a kubeconfig has (programs to run, OIDC, several
files) is read by that library.
"""

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

Yaml = Mapping[str, Any]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LIBRARY_ONLY = frozenset({"exec", "auth-provider", "username"})
"""Parts of a kubeconfig's user that aren't read here."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class AccessError(Exception):
    """No API server can be asked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Access:
    """One API server, as one user. `authorization` is a header's whole value; `proxy` is `host:port`."""

    server: str
    namespace: str
    tls: ssl.SSLContext | None
    authorization: str | None = None
    tls_server_name: str | None = None
    proxy: str | None = None
    options: tuple[str, ...] = ()
    """Of kubectl, for the same cluster, user and namespace."""


def read_access(
    kubeconfig: str | None = None,
    context: str | None = None,
    namespace: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Access:
    """As kubectl: the file that is named, `$KUBECONFIG`, `~/.kube/config`, the pod's service account.

    Raises:
        AccessError: there is none of them, or it can't be read.
    """
    found = _read(kubeconfig, context, namespace, environ)
    chosen = {"--kubeconfig": kubeconfig, "--context": context, "--namespace": found.namespace}
    return replace(found, options=tuple(f"{name}={value}" for name, value in chosen.items() if value))


def _read(kubeconfig: str | None, context: str | None, namespace: str | None, environ: Mapping[str, str]) -> Access:
    source = kubeconfig or environ.get("KUBECONFIG") or ""
    if not source and (home := Path.home() / ".kube" / "config").exists():
        source = str(home)
    if not source and "KUBERNETES_SERVICE_HOST" not in environ:
        raise AccessError(
            "no kubeconfig: set KUBECONFIG, or --kubeconfig FILE (./run-local.sh prints where its own is)"
        )
    try:
        if not source or os.pathsep in source:
            return _by_library(source, context, namespace)
        file = Path(source)
        config = yaml.load(file.read_text("utf-8"), LOADER)  # noqa: S506 - a safe loader
        name = context or config.get("current-context")
        chosen = _named(config, "context", name)
        user = _named(config, "user", chosen.get("user")) if chosen.get("user") else {}
        if LIBRARY_ONLY & user.keys():
            return _by_library(source, context, namespace)
        cluster = _named(config, "cluster", chosen["cluster"])
        return _plain(cluster, user, namespace or chosen.get("namespace") or "default", file.parent)
    except AccessError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}" if not isinstance(error, OSError) else str(error)
        raise AccessError(f"the kubeconfig {source or 'of the pod'} can't be used: {what}") from error


def _named(config: Yaml, kind: str, name: object) -> Yaml:
    for each in config.get(f"{kind}s") or ():
        if each["name"] == name:
            found: Yaml = each[kind] or {}
            return found
    raise AccessError(
        f"the kubeconfig has no {kind} {name!r}: see `kubectl config get-contexts`, or name one (--context)"
    )


def _plain(cluster: Yaml, user: Yaml, namespace: str, folder: Path) -> Access:
    def content(part: Yaml, key: str) -> bytes | None:
        if data := part.get(f"{key}-data"):
            return base64.b64decode(data)
        return (folder / part[key]).read_bytes() if part.get(key) else None

    server = cluster["server"].rstrip("/")
    authority = content(cluster, "certificate-authority")
    tls = None
    if urlsplit(server).scheme == "https":
        tls = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        certificate, key = content(user, "client-certificate"), content(user, "client-key")
        if certificate and key:
            _load(tls, certificate, key)
    token = user.get("token")
    if user.get("tokenFile"):
        token = (folder / user["tokenFile"]).read_text("ascii").strip()
    proxy = urlsplit(cluster["proxy-url"]).netloc if cluster.get("proxy-url") else None
    name = cluster.get("tls-server-name")
    return Access(server, namespace, tls, f"Bearer {token}" if token else None, name, proxy)


def _load(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL reads files alone: for a moment there is one that nobody else may read."""
    with tempfile.TemporaryDirectory(prefix="kubectl-saga-") as folder:
        file = Path(folder) / "client.pem"
        file.touch(mode=0o600)
        file.write_bytes(certificate + b"\n" + key)
        tls.load_cert_chain(file)


def _by_library(source: str, context: str | None, namespace: str | None) -> Access:
    from kubernetes import config  # noqa: PLC0415 - half a second
    from kubernetes.client import Configuration  # noqa: PLC0415

    found = Configuration(proxy="")
    if source:
        config.load_kube_config(source, context, client_configuration=found, persist_config=False)  # type: ignore[no-untyped-call]
        contexts, active = config.list_kube_config_contexts(source)  # type: ignore[no-untyped-call]
        chosen = next((each for each in contexts if each["name"] == context), active)
        own = chosen["context"].get("namespace") or "default"
    else:
        config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
        own = (SERVICE_ACCOUNT / "namespace").read_text("utf-8").strip()
    tls = None
    if found.host.startswith("https"):
        tls = ssl.create_default_context(cafile=found.ssl_ca_cert)
        if not found.verify_ssl:
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        if found.cert_file:
            tls.load_cert_chain(found.cert_file, found.key_file)
    authorization = found.api_key.get("BearerToken") or found.api_key.get("authorization")
    if authorization is None and found.username:
        pair = base64.b64encode(f"{found.username}:{found.password}".encode()).decode()
        authorization = f"Basic {pair}"
    proxy = urlsplit(found.proxy).netloc if found.proxy else None
    host = found.host.rstrip("/")
    return Access(host, namespace or own, tls, authorization and authorization.strip(), found.tls_server_name, proxy)
