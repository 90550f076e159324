"""The shop's Git repository: what this checkout ships, at an address of its own, and what is committed to it then."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from common.wire import Json
from dev.setup.paths import CHECKOUT

SHIPPED = ("crds", "helm", "manifests")
PLACEHOLDER = "https://git.example.com/shop/e-commerce-saga.git"
ORDERS = "manifests/gitops/orders"
# Nobody's own settings of Git (signatures, hooks) matter here.
PLAIN = ("-c", "user.name=shop", "-c", "user.email=shop@example.com", "-c", "core.hooksPath=/dev/null")


class Repository:
    """A repository with a working tree, which a GitServer of the folder around it serves."""

    def __init__(self, folder: Path, url: str) -> None:
        """`url`: under which the folder around it is served."""
        self.folder, self.url = folder, f"{url}/{folder.name}/.git"
        for name in SHIPPED:
            shutil.copytree(CHECKOUT / name, folder / name)
        folder.mkdir(parents=True, exist_ok=True)
        self._git("init", "--quiet", "--initial-branch", "main")
        # What docs/gitops.md has everybody do first.
        for file in (folder / "manifests" / "gitops").rglob("*.yaml"):
            file.write_text(file.read_text().replace(PLACEHOLDER, self.url))
        self.commit("The shop as it is shipped, at our address")

    def commit(self, message: str, files: Mapping[str, str | None] | None = None) -> str:
        """Write these files (None: remove it), commit everything; the commit's id."""
        for name, content in (files or {}).items():
            path = self.folder / name
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
        self._git("add", "--all")
        self._git(*PLAIN, "commit", "--quiet", "--allow-empty", "--no-gpg-sign", "--message", message)
        return self.head

    def revert(self) -> str:
        """Take back the last commit by another one; its id."""
        self._git(*PLAIN, "revert", "--no-gpg-sign", "--no-edit", "HEAD")
        return self.head

    def back_to(self, commit: str) -> str:
        """Take back all commits after this one by another one; its id."""
        self._git("read-tree", "-u", "--reset", commit)
        return self.commit(f"As in {commit}")

    @property
    def head(self) -> str:
        """The id of the last commit."""
        return self._git("rev-parse", "HEAD")

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def orders(self, *orders: Json) -> dict[str, str | None]:
        """The files of a commit after which the folder of orders holds these, and no others."""
        folder = self.folder / ORDERS
        kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
        files: dict[str, str | None] = {f"{ORDERS}/{name}": None for name in kustomization["resources"]}
        kustomization["resources"] = [f"{order['metadata']['name']}.yaml" for order in orders]
        files |= {f"{ORDERS}/{order['metadata']['name']}.yaml": yaml.safe_dump(order) for order in orders}
        return {**files, f"{ORDERS}/kustomization.yaml": yaml.safe_dump(kustomization)}

    def _git(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", str(self.folder), *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()
