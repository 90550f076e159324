"""The picture of a run, as SVG: each row's share of the bare rate, and what a saga costs in CPU."""

from collections.abc import Mapping
from html import escape
from typing import Any

from bench.cases import PRODUCTS
from bench.rows import BARE, KEEPERS, roles_of
from bench.table import Group, Key, cpu_ms, groups, ratio
from bench.usage import LOAD
from common.services import SERVICES

WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 860, 230, 70, 30, 15, 10
SHADES = ("#9ecae1", "#4292c6", "#08519c")
"""Of C, the fewest first."""
PARTS = {
    "keeping the saga": "#d94801",
    "five services": "#4292c6",
    "mongod": "#41ab5d",
    "load generator": "#bdbdbd",
}


def picture(run: Mapping[str, Any]) -> str:
    """The whole drawing."""
    found = {key: group for key, group in groups(run["cases"]).items() if group and key[3] == PRODUCTS}
    several = len({key[1] for key in found}) > 1
    first, y = _shares(found, several, TOP)
    second, height = _costs(found, several, y + 30)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            *first,
            *second,
            "</svg>\n",
        ]
    )


def _shares(found: dict[Key, Group], several: bool, y: int) -> tuple[list[str], int]:
    """One group of bars for each row that is compared with the bare calls, a bar for each C."""
    loads = sorted({key[2] for key in found})
    lines = [_text(LEFT, y, "Share of the rate that the bare calls reach, by sagas in flight", weight="bold")]
    lines += _legend({f"C = {load}": SHADES[index % 3] for index, load in enumerate(loads)}, y + 10)
    y += 30
    for row, commit in dict.fromkeys(key[:2] for key in found if key[0] != BARE):
        lines.append(_text(LEFT - 8, y + BAR * len(loads) // 2 + 4, _name(row, commit, several), anchor="end"))
        for index, load in enumerate(loads):
            group = found.get((row, commit, load, PRODUCTS), [])
            share = ratio(group, _bare(found, commit, load))
            lines += _bar(LEFT, y, (WIDTH - LEFT - RIGHT) * min(share, 1.0), SHADES[index % 3])
            lines.append(_text(LEFT + (WIDTH - LEFT - RIGHT) * min(share, 1.0) + 5, y + 11, f"{share:.2f}"))
            y += BAR
        y += GAP
    return lines, y


def _bare(found: dict[Key, Group], commit: str, load: int) -> Group:
    return found.get((BARE, commit, load, PRODUCTS), [])


def _costs(found: dict[Key, Group], several: bool, y: int) -> tuple[list[str], int]:
    """One bar for each row, made of its parts, at the highest C."""
    load = max((key[2] for key in found), default=0)
    shown = {key: group for key, group in found.items() if key[2] == load}
    scale = (WIDTH - LEFT - RIGHT) / max((cpu_ms(group, roles_of(key[0])) for key, group in shown.items()), default=1)
    lines = [_text(LEFT, y, f"CPU milliseconds per order, C = {load}", weight="bold"), *_legend(PARTS, y + 10)]
    y += 30
    for key, group in shown.items():
        parts = (KEEPERS.get(key[0], ()), SERVICES, ("mongod",), (LOAD,))
        lines.append(_text(LEFT - 8, y + 11, _name(key[0], key[1], several), anchor="end"))
        x = float(LEFT)
        for roles, colour in zip(parts, PARTS.values(), strict=True):
            width = scale * cpu_ms(group, roles)
            lines += _bar(x, y, width, colour)
            x += width
        p50 = f"{cpu_ms(group, roles_of(key[0])):.0f} ms"
        lines.append(_text(x + 5, y + 11, p50))
        y += BAR + GAP
    return lines, y


def _name(row: str, commit: str, several: bool) -> str:
    return f"{row} @ {commit}" if several else row


def _legend(colours: Mapping[str, str], y: int) -> list[str]:
    lines, x = [], LEFT
    for name, colour in colours.items():
        lines += [*_bar(x, y, 12, colour), _text(x + 16, y + 11, name)]
        x += 30 + 7 * len(name)
    return lines


def _bar(x: float, y: int, width: float, colour: str) -> list[str]:
    return [f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>']


def _text(x: float, y: int, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
