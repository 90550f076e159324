"""./push-to-openshift.sh: builds the images and pushes them to the registry of an OpenShift cluster.

They become e-commerce-saga/{name}:latest there, where openshift-deployment.yaml looks for them. It may be repeated.
"""

import argparse
import subprocess
import sys

from dev.release.deploy import contexts, images
from dev.release.deploy.contexts import Cluster
from dev.release.deploy.rollout import NAMESPACE
from dev.release.deploy.shell import Shell, script_parser
from dev.setup.errors import StackError, exit_status

EXPOSE = (
    'oc patch configs.imageregistry.operator.openshift.io/cluster --type=merge -p \'{"spec":{"defaultRoute":true}}\''
)


def parser(manual: str | None = __doc__) -> argparse.ArgumentParser:
    """The options, which ./deploy-openshift.sh has as well; their texts are the manual."""
    options = script_parser(manual)
    options.add_argument("--registry", help="host of the registry from here; default: the cluster's own, by its Route")
    return options


def push(shell: Shell, cluster: Cluster, options: argparse.Namespace) -> None:
    """Build, log in, push. Raises StackError."""
    host = options.registry or _route(shell, cluster)
    program = images.engine(shell, options.engine)
    if not options.no_build:
        images.build(shell, program)
    if shell.read(cluster.command("get", "namespace", NAMESPACE, "-o", "name")) is None:
        shell.run(cluster.command("create", "namespace", NAMESPACE))
    _log_in(shell, cluster, program, host)
    for image in images.IMAGES:
        shell.run([program, "tag", image.tag, f"{host}/{image.tag}"])
        shell.run([program, "push", f"{host}/{image.tag}"])


def _route(shell: Shell, cluster: Cluster) -> str:
    host = shell.read(
        cluster.command(
            *("get", "route", "default-route", "--namespace", "openshift-image-registry"),
            *("-o", "jsonpath={.spec.host}"),
        )
    )
    if not host:
        raise StackError(
            f"the cluster's registry has no Route: an administrator makes one with\n  {EXPOSE}\n"
            "or name another registry in --registry"
        )
    return host


def _log_in(shell: Shell, cluster: Cluster, program: str, host: str) -> None:
    """The token goes through a pipe: an argument could be read by every user of this machine."""
    user, token = shell.read(cluster.command("whoami")), shell.read(cluster.command("whoami", "--show-token"))
    if not user or not token:
        raise StackError("`oc whoami --show-token` gives no token: log in with `oc login` first")
    # The registry looks at the token alone; some engines don't take a user with a colon.
    words = [program, "login", "--username", user.replace(":", "_"), "--password-stdin", host]
    shell.print(f"{'would log' if shell.dry_run else 'logging'} in to {host} as {user}")
    if not shell.dry_run and subprocess.run(words, input=token, text=True, check=False).returncode:
        raise StackError(f"{program} could not log in to {host}: see above")


def deploy(options: argparse.Namespace) -> None:
    """What the script does. Raises StackError."""
    shell = Shell(dry_run=options.dry_run)
    cluster = contexts.find(shell, "oc", options.context)
    cluster.require_permission(allow_remote=options.allow_remote)
    push(shell, cluster, options)


def main(arguments: list[str]) -> int:
    """Run the script; its exit status."""
    return exit_status(lambda: deploy(parser().parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
