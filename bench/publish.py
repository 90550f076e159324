"""Writes the figures of the last runs into docs/performance.md, with the pictures: `make bench-picture`."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import scale_picture, writes
from bench.picture import picture
from bench.table import as_markdown, as_text, tables
from dev.setup.errors import StackError, exit_status
from dev.setup.paths import CHECKOUT, STATE

RUN, WRITES = STATE / "bench" / "latest.json", STATE / "bench" / "writes.json"
SCALES = (STATE / "bench" / "scale.json", STATE / "bench" / "scale-held.json")
PAGE = CHECKOUT / "docs" / "performance.md"
PAGE_WIDTH = 130
PARTS = {"endpoints": "endpoints", "identified": "callers", "traced": "traces"}
DATA, PICTURE = PAGE.with_suffix(".json"), PAGE.with_suffix(".svg")
SCALE_PICTURE = PAGE.with_stem(f"{PAGE.stem}-scale").with_suffix(".svg")


def publish(run: Path, costs: Path, scales: Sequence[Path]) -> None:
    """Keep the figures beside the page, draw them, and write the tables. What wasn't measured anew stays as it is.

    Raises StackError when a case doesn't count: the page shows what is true of all of them.
    """
    data: dict[str, Any] = json.loads(DATA.read_text()) if DATA.exists() else {}
    if run.exists():
        found = json.loads(run.read_text())
        if wrong := [case for case in found["cases"] if case["problems"]]:
            raise StackError(f"{len(wrong)} cases of {run} don't count, first: {wrong[0]['problems'][0]}")
        data["run"] = found if found["cases"] else _with_parts(data.get("run", {}), found)
    if costs.exists():
        data["writes"] = json.loads(costs.read_text())
    for scale in scales:
        if scale.exists():
            rows = json.loads(scale.read_text())
            data.setdefault("scale", {})["on" if rows[0]["held"] else "off"] = rows
    if "run" not in data:
        raise StackError("nothing was measured yet: make bench")
    DATA.write_text(_by_line(data))
    PICTURE.write_text(picture(data["run"]))
    if "off" in data.get("scale", {}):
        SCALE_PICTURE.write_text(scale_picture.picture(data["scale"]["off"]))
    page = PAGE.read_text()
    for name, text in _sections(data).items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        if not (mark and end):
            raise StackError(f"{PAGE} has no place for {name}")
        page = before + mark + text + end + after
    PAGE.write_text(page)


def _with_parts(run: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A run, with the parts of another that has no cases, and when and where those were measured."""
    parts = {name: found[name] for name in PARTS if found.get(name)}
    about = f"{found['at']} on {found['cores']} cores, commits {', '.join(found['checkouts'])}"
    return {**run, **parts, "parts": {**run.get("parts", {}), **dict.fromkeys(parts, about)}}


def _sections(data: dict[str, Any]) -> dict[str, str]:
    """What stands between the marks of the page, by name."""
    run = data["run"]
    rounds, seconds = (max((case[each] for case in run["cases"]), default=0) for each in ("round", "seconds"))
    about = (
        f"Measured {run['at']} on {run['cores']} cores, commits {', '.join(run['checkouts'])}: "
        f"{rounds} round{'s' * (rounds > 1)}, {seconds:.0f} s for each case.\n"
    )
    for name, when in run.get("parts", {}).items():
        about += f"\nThe table of {PARTS[name]} was measured {when}.\n"
    parts = [f"**{heading}**\n\n{_shown(lines)}\n" for heading, lines in tables(run)]
    costs = as_markdown(writes.table(data["writes"])) + "\n" if data.get("writes") else ""
    sections = {"the run": "\n" + "\n".join([about, *parts]) + "\n", "the writes": f"\n{costs}\n"}
    if scales := data.get("scale"):
        lines = [line for name in ("off", "on") for line in scale_picture.table(scales.get(name, ()))[1:]]
        sections["the scale"] = f"\n{as_markdown([scale_picture.table(())[0], *lines])}\n\n"
    return sections


def _shown(lines: list[list[str]]) -> str:
    """A table of the page, or, if that would be too wide, as it is printed."""
    table = as_markdown(lines)
    return table if max(map(len, table.splitlines())) <= PAGE_WIDTH else f"```\n{as_text(lines)}\n```"


def _by_line(data: dict[str, Any]) -> str:
    """JSON with a case in each line, so that a difference can be read."""
    text = json.dumps(data, separators=(", ", ": "), sort_keys=True, ensure_ascii=False)
    return re.sub(r"\}, \{", "},\n{", text) + "\n"


def main() -> int:
    """Exit status 1 if the figures can't be published."""
    options = argparse.ArgumentParser(prog="make bench-picture", description=__doc__)
    options.add_argument("--run", type=Path, default=RUN, help="the JSON of make bench")
    options.add_argument("--writes", type=Path, default=WRITES, help="the JSON of make bench-writes")
    options.add_argument(
        "--scale", type=Path, nargs="*", default=SCALES, help="the JSON of make bench-scale, each run's"
    )
    asked = options.parse_args()
    return exit_status(lambda: publish(asked.run, asked.writes, asked.scale))


if __name__ == "__main__":
    sys.exit(main())
