"""The images of a cluster's installation: how each is built, and how it gets into a cluster without a registry."""

import shlex
from dataclasses import dataclass

from common.services import SERVICES
from dev.release.deploy.contexts import Cluster
from dev.release.deploy.shell import Shell
from dev.setup.errors import StackError

# By what the context is called: the command that puts an image of the local engine into that cluster.
LOADERS = (
    ("kind-", "kind load docker-image {image} --name {cluster}"),
    ("k3d-", "k3d image import {image} --cluster {cluster}"),
    ("minikube", "minikube --profile {context} image load {image}"),
    ("microk8s", "sh -c '{engine} save {image} | microk8s ctr image import -'"),
)
SHARED_ENGINE = ("docker-desktop", "rancher-desktop", "orbstack", "colima")
"""These clusters see the images of the local engine."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image of ours."""

    name: str
    build: tuple[str, ...]
    """Arguments of `docker build` besides the tag."""

    @property
    def tag(self) -> str:
        """The local name, as the chart's defaults have it."""
        return f"e-commerce-saga/{self.name}:latest"


IMAGES = (
    *(Image(f"{service}-service", ("--build-arg", f"SERVICE_DIR={service}")) for service in SERVICES),
    Image("operator", ("--target", "operator")),
)


def engine(shell: Shell, wanted: str | None) -> str:
    """docker or podman, whichever is there. Raises StackError when neither is."""
    for name in (wanted,) if wanted else ("docker", "podman"):
        if shell.dry_run or shell.read([name, "version"]) is not None:
            return name
    raise StackError(
        "no container engine answers: start Docker (or podman), or use --no-build with images that are there"
    )


def build(shell: Shell, program: str) -> None:
    """Build all; layers that haven't changed are taken from the engine's cache."""
    for image in IMAGES:
        shell.run([program, "build", "--tag", image.tag, *image.build, "."])


def loader(cluster: Cluster, wanted: str | None) -> str | None:
    """The command that loads {image}, or None if the cluster sees the engine's images. Raises StackError."""
    if wanted:
        return None if wanted == "none" else wanted
    if cluster.context in SHARED_ENGINE:
        return None
    for prefix, command in LOADERS:
        if cluster.context.startswith(prefix):
            return command.replace("{cluster}", cluster.context.removeprefix(prefix)).replace(
                "{context}", cluster.context
            )
    raise StackError(
        f"how do images get into {cluster.context}? --load 'COMMAND {{image}}' says so, --load none if they are there"
    )


def load(shell: Shell, program: str, command: str | None) -> None:
    """Put every image into the cluster. Raises StackError when minikube hasn't got one afterwards."""
    for image in IMAGES if command else ():
        assert command is not None  # noqa: S101 - for mypy
        filled = command.replace("{image}", image.tag).replace("{engine}", program)
        shell.run(["sh", "-c", filled] if "|" in filled and not filled.startswith("sh ") else shlex.split(filled))
    if command and command.startswith("minikube --profile ") and not shell.dry_run:
        # minikube may load nothing, print nothing and exit with 0 (kubernetes/minikube issues 21393, 23471).
        there = shell.read([*shlex.split(command)[:3], "image", "ls"]) or ""
        for image in IMAGES:
            if not any(line.strip().endswith(image.tag) for line in there.splitlines()):
                raise StackError(
                    f"minikube did not take {image.tag}: try `{command.replace('{image}', image.tag)} -v=3`"
                )
