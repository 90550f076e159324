"""Restate's server (npm) and Python SDK (PyPI): fetched when they are measured, checked, and kept in the cache.

They are no part of this project's environment: the packages get a folder of their own there.
"""

import base64
import hashlib
import os
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

from dev.setup.downloads import put, workspace
from dev.setup.errors import StackError
from dev.setup.paths import cache

VERSION = "1.7.12"
PACKAGES = Path(__file__).with_name("restate.txt")
SHA512 = {
    "linux-x64": "URotJ1AIqaSCDkRMl4OrQfTLH+NYuOZb3ZsP7wxxiuAB6pncgPhTUYSvegTF5PTrAShnNyHNpju9kjf2O3QxoA==",
    "linux-arm64": "aV7YxWvPhp88MjQtObGDhDCTwCBa68wwZOAMmJqDreO0auHYuSfOqabEx4I90coZsx3zShNusppbTPKprOa+dw==",
}
"""By platform: the `integrity` of the package that holds the program."""
FETCH_SECONDS = 600.0


def server() -> Path:
    """The program restate-server. Raises StackError when it can't be had."""
    target = cache() / f"restate-{VERSION}" / "restate-server"
    if target.exists():
        return target
    machine = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}.get(platform.machine(), platform.machine())
    if machine not in SHA512:
        raise StackError(f"there is no restate-server for {machine}: leave out the row restate")
    with workspace() as folder:
        _run("npm", "pack", "--silent", f"@restatedev/restate-server-{machine}@{VERSION}", cwd=folder)
        archive = next(folder.glob("*.tgz"))
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != SHA512[machine]:
            raise StackError(f"{archive.name} is not the file that was pinned (its sha512 differs)")
        with tarfile.open(archive) as files:
            files.extract("package/bin/restate-server", folder, filter="data")
        put(folder / "package" / "bin" / "restate-server", target)
    return target


def packages() -> Path:
    """A folder with the Python SDK and hypercorn, for PYTHONPATH. Raises StackError when they can't be had."""
    digest = hashlib.sha256(PACKAGES.read_bytes() + sys.version.encode()).hexdigest()[:12]
    target = cache() / f"restate-{VERSION}" / f"packages-{digest}"
    if not target.exists():
        with workspace() as folder:
            pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps")
            _run(*pip, "--require-hashes", "--only-binary", ":all:", "-r", PACKAGES, "--target", folder / "packages")
            target.parent.mkdir(parents=True, exist_ok=True)
            (folder / "packages").rename(target)
    return target


def _run(*command: str | Path, cwd: Path | None = None) -> None:
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=cwd, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=FETCH_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"{words[0]} can't be run ({error}): leave out the row restate") from error
    if done.returncode:
        raise StackError(f"{' '.join(words[:4])} failed: {(done.stderr or done.stdout).strip()[-300:]}")
