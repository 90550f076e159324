"""`make docs-test`: types the commands of the documents, and says which of them don't do what the pages say.

python -m dev.release.typed --list              every command, and where it belongs
python -m dev.release.typed cluster             those that need a cluster (the current context: kind, or one like it)
python -m dev.release.typed engine              those that need a container engine
python -m dev.release.typed machine             those of the local stack
python -m dev.release.typed cluster docs/audit.md docs/events.md       of these pages, in this order
"""

import argparse
import contextlib
import functools
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dev.release import helm
from dev.release.typed import documents, rules
from dev.release.typed.documents import Command
from dev.release.typed.places import Place, Rule
from dev.setup.binaries import find
from dev.setup.errors import StackError, exit_status
from dev.setup.paths import CHECKOUT
from dev.stack.waiting import wait_until

# How long a command that goes on by itself is looked at; how long the local stack may take to start where it is built.
LOOKED_AT_SECONDS = 8
PATIENCE_SECONDS = 900
INTERRUPTED = (124, 130)
# Runs its argument with a terminal of its own.
TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(['bash', '-c', sys.argv[1]])))"
UNMET = {
    "before": "what the page takes for granted could not be had",
    "after": "it succeeded, but what the page says is not so",
}


def script(typed: list[tuple[Command, Rule]]) -> str:
    """A bash script of one session: variables and folders of a page's command are those of its next one.

    It writes `NUMBER STATUS` to descriptor 3 for each command, and goes on after a failure. HTTP's errors are curl's.
    """
    lines = ["set -a; shopt -s expand_aliases", 'curl() { command curl --fail-with-body "$@"; }']
    for number, (command, rule) in enumerate(typed):
        text = rule.typed(command)
        lines.append(f"echo; echo {shlex.quote(f'▶ {command.page}:{command.line}')}; echo {shlex.quote(text)}")
        lines.append("typed=0")
        if rule.before:
            lines.append(f"( {rule.before}\n) >>$TYPED_LOG 2>&1 || typed=before")
        if rule.terminal:
            text = shlex.join([sys.executable, "-c", TERMINAL, text])
        if rule.stays:
            text = f"timeout --signal=INT {LOOKED_AT_SECONDS} bash -c {shlex.quote(text)}"
        lines.append(f"if [ $typed = 0 ]; then eval {shlex.quote(text)}; typed=$?; fi")
        if rule.after:
            lines.append(f"if [ $typed = 0 ]; then ( {rule.after}\n) >>$TYPED_LOG 2>&1 || typed=after; fi")
        lines.append(f"echo {number} $typed >&3; cd {shlex.quote(str(CHECKOUT))}")
    return "\n".join(lines) + "\n"


def type_page(page: str, typed: list[tuple[Command, Rule]], environment: dict[str, str]) -> list[str]:
    """Type a page's commands; what went wrong, a line each."""
    with tempfile.TemporaryDirectory(prefix="ordersaga-typed-") as folder:
        said, log = Path(folder) / "said", Path(folder) / "log"
        written = Path(folder) / "script"
        written.write_text(script(typed))
        words = ["bash", "-c", f"exec 3>{said}; . {written}"]
        began = time.monotonic()
        subprocess.run(
            words, cwd=CHECKOUT, env={**environment, "TYPED_LOG": str(log)}, stdin=subprocess.DEVNULL, check=False
        )
        answers = dict(line.split() for line in said.read_text().splitlines())
        notes = log.read_text().strip().splitlines() if log.exists() else []
    wrong = [
        f"{command}: {problem}"
        for number, (command, rule) in enumerate(typed)
        if (problem := _problem(rule, answers.get(str(number))))
    ]
    if wrong:
        print("\n".join(["", "What was said before and after them:", *notes[-40:]]))
    print(f"\n{page}: {len(typed)} typed in {time.monotonic() - began:.0f} s, {len(wrong)} wrong", flush=True)
    return wrong


def _problem(rule: Rule, answer: str | None) -> str:
    if answer is None:
        return "was not reached"
    if answer in UNMET:
        return UNMET[answer]
    allowed = (*rule.statuses, *INTERRUPTED) if rule.stays else rule.statuses
    return "" if int(answer) in allowed else f"exit status {answer}"


def environment(folder: Path, helm_name: str) -> dict[str, str]:
    """PATH with the programs that pages name: kubectl with its plugin, helm."""
    (folder / "kubectl").symlink_to(find("kubectl"))
    (folder / "helm").symlink_to(helm.find(helm_name))
    tools = CHECKOUT / ".ordersaga" / "venv" / "bin"
    return {**os.environ, "PATH": f"{folder}:{tools}:{os.environ['PATH']}"}


@contextlib.contextmanager
def local_stack() -> Iterator[dict[str, str]]:
    """./run-local.sh while the commands of the machine are typed; the variables that name it."""
    kubeconfig = CHECKOUT / ".ordersaga" / "kubeconfig"
    with subprocess.Popen([CHECKOUT / "run-local.sh", "--no-demo"], stdout=subprocess.DEVNULL) as stack:
        try:
            wait_until("the local stack is well", functools.partial(_well, stack), PATIENCE_SECONDS, pause_seconds=1)
            yield {"KUBECONFIG": str(kubeconfig)}
        finally:
            stack.send_signal(signal.SIGINT)


@contextlib.contextmanager
def composed() -> Iterator[dict[str, str]]:
    """docker-compose with a project of its own, which is gone afterwards; the variable that names it."""
    named = {"COMPOSE_PROJECT_NAME": "ordersaga-docs"}
    gone = ["docker-compose", "--env-file", "dev/compose/monitoring.env", "down", "-v"]
    try:
        yield named
    finally:
        done = subprocess.run(
            gone, cwd=CHECKOUT, env={**os.environ, **named}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"what was started is still there ({shlex.join(gone)}):\n{done.stderr}", file=sys.stderr)


def _well(stack: subprocess.Popen[bytes]) -> bool:
    if stack.poll() is not None:
        raise StackError("./run-local.sh has ended: see above")
    asked = [sys.executable, "scripts/check_health.py"]
    return not subprocess.run(asked, cwd=CHECKOUT, capture_output=True, check=False).returncode


def work(options: argparse.Namespace) -> None:
    """What was asked for. Raises StackError with the commands that went wrong."""
    if options.list:
        for command in documents.every():
            rule = rules.rule_of(command)
            print(f"{rule.place if rule else 'UNKNOWN':8} {command}{f'   ({rule.why})' if rule and rule.why else ''}")
        return
    place = Place(options.place)
    wrong = []
    with contextlib.ExitStack() as held:
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="ordersaga-bin-"))
        known = environment(Path(folder), options.helm)
        if place == Place.MACHINE:
            known |= held.enter_context(local_stack())
        if place == Place.ENGINE:
            known |= held.enter_context(composed())
        for page in options.pages or rules.pages(place):
            typed = rules.of(CHECKOUT / page, place)
            wrong += type_page(page, typed, known)
    if wrong:
        raise StackError("\n".join([f"{len(wrong)} commands don't do what the pages say:", *wrong]))
    print("All as the pages say.")


def parser() -> argparse.ArgumentParser:
    """The options; their texts are the manual."""
    options = argparse.ArgumentParser(
        prog="make docs-test", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "place", nargs="?", choices=[place for place in Place if place != Place.NOWHERE], default=Place.CLUSTER
    )
    options.add_argument("pages", nargs="*", help="default: all that have commands of this place")
    options.add_argument("--list", action="store_true", help="type nothing")
    options.add_argument("--helm", choices=("helm", "helm3"), default="helm", help="Helm 4 (the default), or 3")
    return options


if __name__ == "__main__":
    arguments = parser().parse_args(sys.argv[1:])
    sys.exit(exit_status(lambda: work(arguments)))
