"""What a kubelet mounts of a Secret: files behind a symbolic link, which all change at once."""

import datetime as dt
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

import trustme


class MountedSecret:
    """A folder with a Secret's keys as files."""

    def __init__(self, folder: Path, content: Mapping[str, bytes]) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.replace(content)

    def __truediv__(self, key: str) -> Path:
        return self.folder / key

    def replace(self, content: Mapping[str, bytes]) -> None:
        """Let the kubelet put another content in its place, in one step (AtomicWriter)."""
        version = f"..{uuid.uuid4().hex}"
        (self.folder / version).mkdir()
        for key, value in content.items():
            (self.folder / version / key).write_bytes(value)
        link = self.folder / "..data_tmp"
        link.symlink_to(version)
        os.replace(link, self.folder / "..data")
        for key in content:
            if not (self.folder / key).is_symlink():
                (self.folder / key).symlink_to(f"..data/{key}")


def pair(authority: trustme.CA, *names: str, days: float = 30) -> dict[str, bytes]:
    """A Secret of type kubernetes.io/tls, as cert-manager writes it: for these names, expiring in `days` from now."""
    now = dt.datetime.now(dt.UTC)
    until = now + dt.timedelta(days=days)
    issued = authority.issue_cert(*names, not_before=min(now, until) - dt.timedelta(days=1), not_after=until)
    return {
        "tls.crt": b"".join(each.bytes() for each in issued.cert_chain_pems),
        "tls.key": issued.private_key_pem.bytes(),
        "ca.crt": authority.cert_pem.bytes(),
    }
