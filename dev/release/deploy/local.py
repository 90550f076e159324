"""./deploy-local-k8s.sh: the whole system in a cluster on this machine, namespace e-commerce-saga.

It builds the images, puts them into the cluster, applies k8s-local-deployment.yaml, waits for everything, and places
one order. It may be repeated: pods are replaced by those of the new images, orders and the database stay.
"""

import argparse
import sys

from dev.release.deploy import contexts, images
from dev.release.deploy.rollout import NAMESPACE, Rollout
from dev.release.deploy.shell import Shell, script_parser
from dev.setup.errors import exit_status

FILE = "k8s-local-deployment.yaml"


def parser() -> argparse.ArgumentParser:
    """The options; their texts are the manual."""
    options = script_parser(__doc__)
    options.add_argument(
        "--load",
        metavar="COMMAND",
        help="how an image gets into the cluster: a command with {image} in it, or none. "
        "Known by themselves: kind, k3d, minikube, microk8s, Docker Desktop and its like",
    )
    options.add_argument("--no-smoke", action="store_true", help="place no order")
    return options


def deploy(options: argparse.Namespace) -> None:
    """What the script does. Raises StackError."""
    shell = Shell(dry_run=options.dry_run)
    cluster = contexts.find(shell, "kubectl", options.context)
    cluster.require_permission(allow_remote=options.allow_remote)
    shell.print(f"Into {cluster.context} ({cluster.server}), namespace {NAMESPACE}:")
    command = images.loader(cluster, options.load)
    program = images.engine(shell, options.engine) if command or not options.no_build else "docker"
    if not options.no_build:
        images.build(shell, program)
    images.load(shell, program, command)
    rollout = Rollout(shell, cluster)
    rollout.apply(FILE, restart=not options.no_build)
    rollout.wait()
    if not options.no_smoke:
        rollout.smoke()
    shell.print(
        f"Orders: kubectl get ordersagas -n {NAMESPACE}\n"
        f"The order service: kubectl port-forward -n {NAMESPACE} svc/order-service 8000:8000"
    )


def main(arguments: list[str]) -> int:
    """Run the script; its exit status."""
    return exit_status(lambda: deploy(parser().parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
