"""./deploy-openshift.sh: the whole system in the OpenShift cluster you are logged in to, namespace e-commerce-saga.

It pushes the images (as ./push-to-openshift.sh does), applies openshift-deployment.yaml, waits for everything, and
places one order. Installing the resource definition needs an administrator once. It may be repeated.
"""

import argparse
import sys

from dev.release.deploy import contexts, push
from dev.release.deploy.rollout import NAMESPACE, Rollout
from dev.release.deploy.shell import Shell
from dev.setup.errors import exit_status

FILE = "openshift-deployment.yaml"


def parser() -> argparse.ArgumentParser:
    """The options; their texts are the manual."""
    options = push.parser(__doc__)
    options.add_argument("--no-push", action="store_true", help="the images are in the registry already")
    options.add_argument("--no-smoke", action="store_true", help="place no order")
    return options


def deploy(options: argparse.Namespace) -> None:
    """What the script does. Raises StackError."""
    shell = Shell(dry_run=options.dry_run)
    cluster = contexts.find(shell, "oc", options.context)
    cluster.require_permission(allow_remote=options.allow_remote)
    shell.print(f"Into {cluster.context} ({cluster.server}), namespace {NAMESPACE}:")
    if not options.no_push:
        push.push(shell, cluster, options)
    rollout = Rollout(shell, cluster)
    rollout.apply(FILE, restart=not options.no_push)
    rollout.wait()
    if not options.no_smoke:
        rollout.smoke()
    route = ("get", "route", "ordersaga", "--namespace", NAMESPACE, "-o", "jsonpath=https://{.spec.host}{.spec.path}")
    shell.print(f"Orders: oc get ordersagas -n {NAMESPACE}\nThe order service: {shell.read(cluster.command(*route))}")


def main(arguments: list[str]) -> int:
    """Run the script; its exit status."""
    return exit_status(lambda: deploy(parser().parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
