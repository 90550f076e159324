"""The local stack's certificate authority, and the few keys and certificates that a control plane needs.

The authority and the key that signs ServiceAccount tokens are made once and kept with the data, so that a copied
kubeconfig goes on working; the other certificates are made anew at each start, so that none expires.
"""

import base64
import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

# Made anew at each start, and a development stack doesn't run for a year.
LEAF_DAYS = 365


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    def kubeconfig(self) -> dict[str, str]:
        """As the `user` of a kubeconfig."""
        return {
            "client-certificate-data": base64.b64encode(self.certificate).decode(),
            "client-key-data": base64.b64encode(self.key).decode(),
        }


class Authority:
    """A certificate authority kept in a folder (`authority.crt`, `authority.key`), made on first use."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate_file, key_file = folder / "authority.crt", folder / "authority.key"
        if not (self.certificate_file.exists() and key_file.exists()):
            made = trustme.CA(organization_name="ordersaga local stack")
            write_private(key_file, made.private_key_pem.bytes())
            self.certificate_file.write_bytes(made.cert_pem.bytes())
        self._authority = trustme.CA.from_pem(self.certificate_file.read_bytes(), key_file.read_bytes())

    def client(self, user: str, group: str = "ordersaga") -> Identity:
        """A certificate that the API server takes for `user`, a member of `group` (the default has no rights)."""
        # trustme marks the alternative names as critical, and Go refuses such a list when it is empty.
        return self._issue("localhost", user=user, group=group)

    def server(self, *names: str) -> Identity:
        """A certificate for a server reached under these DNS names and 127.0.0.1."""
        return self._issue("127.0.0.1", *names)

    def _issue(self, *names: str, user: str | None = None, group: str = "ordersaga") -> Identity:
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=LEAF_DAYS)
        issued = self._authority.issue_cert(*names, common_name=user, organization_name=group, not_after=until)
        return Identity(issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes())


def token_keys(folder: Path, name: str = "sa") -> tuple[Path, Path]:
    """The private and the public file of a key that signs ServiceAccount tokens, made on first use."""
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    if not (private.exists() and public.exists()):
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(private, pem)
        public.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
    return private, public


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, complete or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".new")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(content)
    unfinished.replace(path)
