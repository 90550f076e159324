"""./push-to-openshift.sh: builds the images and pushes them to the registry of an OpenShift cluster.

They become e-commerce-saga/{name}:latest there, where openshift-deployment.yaml looks for them. It may be repeated.
"""

import argparse
import subprocess
import sys

from dev.release.deploy import contexts, images
from dev.release.deploy.contexts import Cluster
from dev.release.deploy.rollout import NAMESPACE
from dev.release.deploy.shell import Shell
from dev.setup.errors import StackError

EXPOSE = (
    'oc patch configs.imageregistry.operator.openshift.io/cluster --type=merge -p \'{"spec":{"defaultRoute":true}}\''
)


def parser() -> argparse.ArgumentParser:
    """The options; their texts are the manual."""
    options = argparse.ArgumentParser(
        prog="./push-to-openshift.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common(options)
    return options


def add_common(options: argparse.ArgumentParser) -> None:
    """What ./deploy-openshift.sh knows as well."""
    options.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    options.add_argument("--context", help="of the kubeconfig; default: the current one")
    options.add_argument("--allow-remote", action="store_true", help="also a cluster that isn't on this machine")
    options.add_argument("--engine", choices=("docker", "podman"), help="default: whichever is there")
    options.add_argument("--no-build", action="store_true", help="the images are there already")
    options.add_argument("--registry", help="host of the registry from here; default: the cluster's own, by its Route")


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
    shell.say(f"{'would log' if shell.dry_run else 'logging'} in to {host} as {user}")
    if not shell.dry_run and subprocess.run(words, input=token, text=True, check=False).returncode:
        raise StackError(f"{program} could not log in to {host}: see above")


def main(arguments: list[str]) -> int:
    """The exit status: 1 with one sentence when it didn't work."""
    options = parser().parse_args(arguments)
    shell = Shell(dry_run=options.dry_run)
    try:
        cluster = contexts.find(shell, "oc", options.context)
        cluster.require_permission(allow_remote=options.allow_remote)
        push(shell, cluster, options)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
