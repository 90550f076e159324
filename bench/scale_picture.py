"""The picture and the table of `bench.scale`: throughput, memory, restart, and work at rest, by the finished sagas."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

Row = Mapping[str, Any]

WIDTH, LEFT, ROOM, TOP, BAR, GAP = 860, 330, 90, 30, 15, 26
COLOURS = ("#9ecae1", "#4292c6", "#08519c")
LOADED: Mapping[str, Callable[[Row], float | None]] = {
    "CPU for an order, ms (operator and API server)": lambda row: sum(row["cpu_ms_per_saga"].values()),
}
WAITING: Mapping[str, Callable[[Row], float | None]] = {
    "operator's memory, MiB": lambda row: row["rss"],
    "restart to the first call, s": lambda row: row["first_call"],
    "restart until all are taken in, s": lambda row: row["taken_in"],
    "CPU of the operator at rest, s per minute": lambda row: row["cpu_minute"],
    "CPU of the API server at rest, s per minute": lambda row: row["server_cpu_minute"],
}


def picture(rows: Sequence[Row]) -> str:
    """The whole drawing, of one run."""
    alone, beside = _alone(rows), [row for row in rows if row["open"]]
    panels = {"orders per second, of those with the fewest finished": (alone, lambda row: _share(row, alone))}
    panels |= {name: (alone, measure) for name, measure in LOADED.items()}
    panels |= {name: (beside, measure) for name, measure in WAITING.items()}
    lines, y = [], TOP
    waiting = f"{beside[0]['open']:,} sagas wait" if beside else "nothing waits"
    lines.append(_text(10, y, f"By the number of finished sagas that are kept ({waiting})", weight="bold"))
    y += 20
    for name, (shown, measure) in panels.items():
        values = [(row["finished"], measure(row)) for row in shown]
        scale = (WIDTH - LEFT - ROOM) / max((value for _, value in values if value), default=1.0)
        lines.append(_text(10, y + 11, name))
        for index, (finished, value) in enumerate(values):
            width = scale * (value or 0.0)
            lines.append(_text(LEFT - 8, y + 11, f"{finished:,}", anchor="end"))
            colour = COLOURS[index % len(COLOURS)]
            lines.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>')
            lines.append(_text(LEFT + width + 5, y + 11, "–" if value is None else f"{value:.2f}"))
            y += BAR
        y += GAP - BAR
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y}" fill="white"/>', *lines, "</svg>\n"])


def table(rows: Sequence[Row]) -> list[list[str]]:
    """A line for each number of finished sagas, the head first; of one run."""
    head = "finished|finalizer|orders/s|first call|all taken in|CPU for it|memory|a waiting saga|CPU at rest|API server"
    lines, alone = [head.split("|")], _alone(rows)
    for row in rows:
        if not row["open"]:
            continue
        same = [each for each in alone if each["finished"] == row["finished"]]
        each = row.get("kib_per_waiting")
        lines.append(
            [
                f"{row['finished']:,}",
                "on" if row["held"] else "off",
                f"{_share(same[0], alone):.2f}" if same else "–",
                f"{row['first_call']:.1f} s" if row["first_call"] is not None else "–",
                f"{row['taken_in']:.0f} s" if row["taken_in"] is not None else "–",
                f"{row['cpu_taken_in']:.1f} s",
                f"{row['rss']:.0f} MiB",
                "–" if each is None else f"{each:.1f} KiB",
                f"{row['cpu_minute']:.1f} s/min",
                f"{row['server_cpu_minute']:.1f} s/min",
            ]
        )
    return lines


def _alone(rows: Sequence[Row]) -> list[Row]:
    """Those without open sagas, beside which orders were placed."""
    return [row for row in rows if "rate" in row]


def _share(row: Row, alone: Sequence[Row]) -> float:
    first = alone[0]["rate"]
    return float(row["rate"] / first) if first else 0.0


def _text(x: float, y: int, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
