"""Commands that a person sees before they run, and that a dry run only shows."""

import argparse
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT

Words = Sequence[str | Path]


class Shell:
    """Runs commands in the checkout; with `dry_run` it prints them instead. Commands that only read always run."""

    def __init__(self, *, dry_run: bool) -> None:
        self.dry_run = dry_run

    def run(self, command: Words, *, input: str | None = None) -> None:  # noqa: A002 - as in subprocess.run
        """Run it, its output to the terminal. Raises StackError when it fails."""
        words = [str(word) for word in command]
        print(f"{'would run' if self.dry_run else '$'} {shlex.join(words)}", flush=True)
        if self.dry_run:
            return
        try:
            status = subprocess.run(words, input=input, text=True, cwd=CHECKOUT, check=False).returncode
        except FileNotFoundError as error:
            raise StackError(f"{words[0]} is not installed") from error
        if status:
            raise StackError(f"`{shlex.join(words)}` failed (exit status {status}): see above")

    def read(self, command: Words) -> str | None:
        """Run a command that changes nothing: what it prints, or None when it fails or isn't installed."""
        words = [str(word) for word in command]
        try:
            answer = subprocess.run(words, capture_output=True, text=True, cwd=CHECKOUT, check=False)
        except FileNotFoundError:
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    def print(self, text: str) -> None:
        """Print a line at once."""
        print(text, flush=True)


def script_parser(manual: str | None) -> argparse.ArgumentParser:
    """The options that all deploy scripts share; `manual` begins with the script's name and a colon."""
    options = argparse.ArgumentParser(
        prog=(manual or "").partition(":")[0],
        description=manual,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")
    options.add_argument("--context", help="the kubeconfig's context to use (default: the current one)")
    options.add_argument("--allow-remote", action="store_true", help="also a cluster that isn't on this machine")
    options.add_argument("--engine", choices=("docker", "podman"), help="default: the one that answers")
    options.add_argument("--no-build", action="store_true", help="build nothing: the images are there already")
    return options
