"""`kubectl saga`: its commands and their common options. The same as `ordersaga saga`."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from ordersaga.saga import creating, doctor, history, listing, logs, looking, serving, steering, top, trace
from ordersaga.saga.access import AccessError, read_access
from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.output import Output

FAILED, MISUSED = 1, 2

EPILOG = """\
examples:

  kubectl saga list                                  open sagas, and what is wrong with them
  kubectl saga list --needs-person                   those that wait for you
  kubectl saga show o-1042                           one order as a picture
  kubectl saga why o-1042                            in one sentence
  kubectl saga retry o-1042 payment --reason "the provider is back"
  kubectl saga retry --phase Failed --step payment --reason "the provider is back" --dry-run

exit status: 0 done, 1 it could not be done, 2 the command is wrong, 3 (`why`) a person has to decide."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = parser().parse_args(arguments)
    output = Output.of_process(options.color)
    try:
        access = read_access(options.kubeconfig, options.context, options.namespace)
        waits = partial(output.warn, f"waiting for the API server at {access.server} …") if output.is_person else None
        with Cluster(access, on_silence=waits) as cluster:
            status: int = options.run(options, cluster, output)
            return status
    except ValueError as error:
        output.warn(f"error: {error}")
        return MISUSED
    except (AccessError, ClusterError) as error:
        output.warn(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        return 130  # as a shell says it of a program that SIGINT has ended
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has enough
        return 0


def parser() -> argparse.ArgumentParser:
    """Of all commands."""
    common = argparse.ArgumentParser(add_help=False)
    group = common.add_argument_group("which cluster, as in kubectl")
    group.add_argument(
        "-n", "--namespace", metavar="NAME", default=argparse.SUPPRESS, help="the context's own by default"
    )
    group.add_argument("--context", metavar="NAME", default=argparse.SUPPRESS)
    group.add_argument("--kubeconfig", metavar="FILE", default=argparse.SUPPRESS)
    group.add_argument(
        "--color", choices=("auto", "always", "never"), default=argparse.SUPPRESS, help="auto: on a terminal"
    )
    made = argparse.ArgumentParser(
        prog="kubectl saga",
        description="See and steer the orders of an installation of OrderSaga, with your own kubeconfig and rights.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    made.set_defaults(namespace=None, context=None, kubeconfig=None, color="auto")
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for kind in (listing, looking, steering, creating, history, logs, top, trace, doctor, serving):
        kind.add_to(commands)
    for command in commands.choices.values():
        for action in common._actions:  # a command takes them as well, before or after its own
            if not any(option in command._option_string_actions for option in action.option_strings):
                command._add_action(action)
    return made
