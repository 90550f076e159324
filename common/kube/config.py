"""Where the API server is and who we are: read from a kubeconfig or from the pod's service account.

Reading is the `kubernetes` library's work, which knows every form a kubeconfig can take (inline data, files, token
files, exec plugins). It is imported only when it is needed, because it costs half a second. Everything else in
`common.kube` is plain HTTP.

The order is: an explicit path, `$KUBECONFIG`, the pod's service account. `~/.kube/config` is left out on purpose: a
service that is started by hand must not write orders into whatever cluster its user spoke to last.
"""

import hashlib
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class KubeConfigError(Exception):
    """No usable configuration; the message says what to do."""


HOW_TO_CONFIGURE = (
    "set KUBECONFIG to a kubeconfig file (./run-local.sh writes one and prints its path), "
    "or run in a pod that has a service account"
)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server. `authorization` is a whole header value, or None with client certificates.

    `tls_digest` changes when the CA or the client certificate does, which a context can't tell.
    """

    server: str
    tls: ssl.SSLContext | None
    tls_digest: str
    authorization: str | None
    tls_server_name: str | None = None
    proxy: str | None = None


def load_access(kubeconfig: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Access:
    """Read the configuration afresh (files, tokens and certificates included). Blocking.

    Raises:
        KubeConfigError: there is none, or it can't be read.
    """
    source = str(kubeconfig) if kubeconfig else environ.get("KUBECONFIG", "")
    if not source and "KUBERNETES_SERVICE_HOST" not in environ:
        raise KubeConfigError(f"no Kubernetes API server is configured: {HOW_TO_CONFIGURE}")

    from kubernetes import config  # noqa: PLC0415
    from kubernetes.client import Configuration  # noqa: PLC0415

    # a proxy only where the kubeconfig names one: the environment's is for the internet
    found = Configuration(proxy="")
    where = source or "the pod's service account"
    try:
        # Inline keys become files for the moment in which OpenSSL reads them, and are gone when this block ends.
        with tempfile.TemporaryDirectory(prefix="ordersaga-") as scratch:
            if source:
                config.load_kube_config(  # type: ignore[no-untyped-call]
                    source, client_configuration=found, persist_config=False, temp_file_path=scratch
                )
            else:
                config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
            tls = _tls(found) if found.host.startswith("https") else None
            digest = _digest(found.ssl_ca_cert, found.cert_file, found.key_file)
        authorization = found.api_key.get("BearerToken")
        if authorization:  # the in-cluster loader writes "bearer " and keeps the file's line end
            authorization = authorization.strip()
        return Access(
            server=found.host.rstrip("/"),
            tls=tls,
            tls_digest=digest,
            authorization=authorization or None,
            tls_server_name=found.tls_server_name,
            proxy=found.proxy or None,
        )
    # A file that is just being rewritten is any text at all, and the library then raises whatever happens to it:
    # YAMLError, TypeError, AttributeError and others that it doesn't list.
    except Exception as error:
        raise KubeConfigError(f"cannot use {where}: {error}; {HOW_TO_CONFIGURE}") from error


def _tls(found: object) -> ssl.SSLContext:
    """The TLS context of a loaded `kubernetes.client.Configuration`: its CA, its client certificate."""
    context = ssl.create_default_context(cafile=getattr(found, "ssl_ca_cert", None))
    if not getattr(found, "verify_ssl", True):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert_file := getattr(found, "cert_file", None):
        context.load_cert_chain(cert_file, getattr(found, "key_file", None))
    return context


def _digest(*files: str | None) -> str:
    return hashlib.sha256(b"\0".join(Path(name).read_bytes() if name else b"" for name in files)).hexdigest()
