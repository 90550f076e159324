"""The picture of `bench.scale`, as SVG: memory, restart and the API server's work, by the number of finished sagas."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

WIDTH, LEFT, ROOM, TOP, BAR, GAP = 860, 300, 90, 30, 15, 26
COLOURS = ("#9ecae1", "#4292c6", "#08519c")
PANELS: Mapping[str, Callable[[Row], float | None]] = {
    "operator's memory, MiB": lambda row: row["rss"],
    "restart to the first call, s": lambda row: row["first_call"],
    "restart until all are taken in, s": lambda row: row["taken_in"],
    "CPU of the operator at rest, s per minute": lambda row: row["cpu_minute"],
    "lists at rest, MiB per minute": lambda row: row["at_rest"].get("bytes LIST", 0.0) / 2**20,
}


def picture(rows: Sequence[Row]) -> str:
    """The whole drawing, of the rows with open sagas."""
    shown = [row for row in rows if row["open"]]
    lines, y = [], TOP
    title = f"{shown[0]['open']:,} waiting sagas beside so many finished ones" if shown else ""
    lines.append(_text(LEFT, y, title, weight="bold"))
    y += 20
    for name, measure in PANELS.items():
        values = [(row["finished"], measure(row)) for row in shown]
        scale = (WIDTH - LEFT - ROOM) / max((value for _, value in values if value), default=1.0)
        lines.append(_text(10, y + 11, name))
        for index, (finished, value) in enumerate(values):
            width = scale * (value or 0.0)
            lines.append(_text(LEFT - 8, y + 11, f"{finished:,}", anchor="end"))
            colour = COLOURS[index % len(COLOURS)]
            lines.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>')
            lines.append(_text(LEFT + width + 5, y + 11, "–" if value is None else f"{value:.1f}"))
            y += BAR
        y += GAP - BAR
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y}" fill="white"/>', *lines, "</svg>\n"])


def _text(x: float, y: int, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(picture(json.loads(source.read_text())))
